import { createPublicKey } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { checkSignedCall } from '../../servers/google-signatures.ts'

// The key of the service account that Google's published vectors are signed with (googleapis/conformance-tests, storage/v1).
const publicKey = createPublicKey(`-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArD8zIqyKLbX0Nq8o0Jj1
qHEhHhqO3+0OP7TEFx5Vxc6PdwBoFNrfnJRI/S+ZaDYS1avr5Pqpp8g8+UNOMvI1
VsjGM8xjTaxkVv8mmKp6pSmQstTt25pzY1exA2wv4xNWSwWNFNx2kh35+kvTQ/DF
3YA9P7pUU1sKur1PP8OoubWLFO59iy5UE5dX0O/3pjvZ2HAhSXsx2VWtB5nlrHR8
FrKJNLJMEGEDSMz9yRfQaUeYCU9oDYHuiqKQ3rCXi6C82l+3FJw5/ggJ5y7iw8ME
rCFSslcYQRbBVz6ZYKWkEcJhs8BG3/16bfaqNusNlDIJ99I7DmipUngF/HEulYhf
rQIDAQAB
-----END PUBLIC KEY-----`)

interface Vector {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly signed: string
  readonly seconds: number
  readonly date: string
  readonly signature: string
}

const simple = {
  method: 'GET',
  path: '/test-bucket/test-object',
  headers: {},
  signed: 'host',
  seconds: 10,
  date: '20190201T090000Z',
}

const vectors: readonly Vector[] = [
  {
    ...simple,
    name: 'Simple GET',
    signature:
      '95e6a13d43a1d1962e667f17397f2b80ac9bdd1669210d5e08e0135df9dff4e56113485dbe429ca2266487b9d1796ebdee2d7cf682a6ef3bb9fbb4c351686fba90d7b621cf1c4eb1fdf126460dd25fa0837dfdde0a9fd98662ce60844c458448fb2b352c203d9969cb74efa4bdb742287744a4f2308afa4af0e0773f55e32e92973619249214b97283b2daa14195244444e33f938138d1e5f561088ce8011f4986dda33a556412594db7c12fc40e1ff3f1bedeb7a42f5bcda0b9567f17f65855f65071fabb88ea12371877f3f77f10e1466fff6ff6973b74a933322ff0949ce357e20abe96c3dd5cfab42c9c83e740a4d32b9e11e146f0eb3404d2e975896f74',
  },
  {
    ...simple,
    name: 'Simple PUT',
    method: 'PUT',
    signature:
      '8adff1d4285739e31aa68e73767a46bc5511fde377497dbe08481bf5ceb34e29cc9a59921748d8ec3dd4085b7e9b7772a952afedfcdaecb3ae8352275b8b7c867f204e3db85076220a3127a8a9589302fc1181eae13b9b7fe41109ec8cdc93c1e8bac2d7a0cc32a109ca02d06957211326563ab3d3e678a0ba296e298b5fc5e14593c99d444c94724cc4be97015dbff1dca377b508fa0cb7169195de98d0e4ac96c42b918d28c8d92d33e1bd125ce0fb3cd7ad2c45dae65c22628378f6584971b8bf3945b26f2611eb651e9b6a8648970c1ecf386bb71327b082e7296c4e1ee2fc0bdd8983da80af375c817fb1ad491d0bc22c0f51dba0d66e2cffbc90803e47',
  },
  {
    ...simple,
    name: 'POST for resumable uploads',
    method: 'POST',
    headers: { 'x-goog-resumable': 'start' },
    signed: 'host;x-goog-resumable',
    signature:
      '4a6d39b23343cedf4c30782aed4b384001828c79ffa3a080a481ea01a640dea0a0ceb58d67a12cef3b243c3f036bb3799c6ee88e8db3eaf7d0bdd4b70a228d0736e07eaa1ee076aff5c6ce09dff1f1f03a0d8ead0d2893408dd3604fdabff553aa6d7af2da67cdba6790006a70240f96717b98f1a6ccb24f00940749599be7ef72aaa5358db63ddd54b2de9e2d6d6a586eac4fe25f36d86fc6ab150418e9c6fa01b732cded226c6d62fc95b72473a4cc55a8257482583fe66d9ab6ede909eb41516a8690946c3e87b0f2052eb0e97e012a14b2f721c42e6e19b8a1cd5658ea36264f10b9b1ada66b8ed5bf7ed7d1708377ac6e5fe608ae361fb594d2e5b24c54',
  },
  {
    ...simple,
    name: 'Vary expiration and timestamp',
    seconds: 20,
    date: '20190301T090000Z',
    signature:
      '9669ed5b10664dc594c758296580662912cf4bcc5a4ba0b6bf055bcbf6f34eed7bdad664f534962174a924741a0c273a4f67bc1847cef20192a6beab44223bd9d4fbbd749c407b79997598c30f82ddc269ff47ec09fa3afe74e00616d438df0d96a7d8ad0adacfad1dc3286f864d924fe919fb0dce45d3d975c5afe8e13af2db9cc37ba77835f92f7669b61e94c6d562196c1274529e76cfff1564cc2cad7d5387dc8e12f7a5dfd925685fe92c30b43709eee29fa2f66067472cee5423d1a3a4182fe8cea75c9329d181dc6acad7c393cd04f8bf5bc0515127d8ebd65d80c08e19ad03316053ea60033fd1b1fd85a69c576415da3bf0a3718d9ea6d03e0d66f0',
  },
  {
    ...simple,
    name: 'Simple headers',
    headers: { foo: 'foo-value', bar: 'BAR-value' },
    signed: 'bar;foo;host',
    signature:
      '68ecd3b008328ed30d91e2fe37444ed7b9b03f28ed4424555b5161980531ef87db1c3a5bc0265aad5640af30f96014c94fb2dba7479c41bfe1c020eb90c0c6d387d4dd09d4a5df8b60ea50eb6b01cdd786a1e37020f5f95eb8f9b6cd3f65a1f8a8a65c9fcb61ea662959efd9cd73b683f8d8804ef4d6d9b2852419b013368842731359d7f9e6d1139032ceca75d5e67cee5fd0192ea2125e5f2955d38d3d50cf116f3a52e6a62de77f6207f5b95aaa1d7d0f8a46de89ea72e7ea30f21286318d7eba0142232b0deb3a1dc9e1e812a981c66b5ffda3c6b01a8a9d113155792309fd53a3acfd054ca7776e8eec28c26480cd1e3c812f67f91d14217f39a606669d',
  },
]

function targetOf({ path, date, seconds, signed, signature }: Vector): string {
  const account = 'test-iam-credentials@dummy-project-id.iam.gserviceaccount.com'
  const query = [
    ['X-Goog-Algorithm', 'GOOG4-RSA-SHA256'],
    ['X-Goog-Credential', `${account}/${date.slice(0, 8)}/auto/storage/goog4_request`],
    ['X-Goog-Date', date],
    ['X-Goog-Expires', String(seconds)],
    ['X-Goog-SignedHeaders', signed],
    ['X-Goog-Signature', signature],
  ] as const
  return `${path}?${query.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')}`
}

function begin({ date }: Vector, afterMs: number): Date {
  const iso = date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z')
  return new Date(Date.parse(iso) + afterMs)
}

describe("the tests' check of signatures", () => {
  test.each(vectors)("accepts Google's own vector '$name' until it expires", (vector) => {
    const headers = { ...vector.headers, host: 'storage.googleapis.com' }
    const call = { method: vector.method, target: targetOf(vector), headers }
    expect(checkSignedCall(call, { publicKey, now: begin(vector, 0) })).toBeUndefined()
    expect(checkSignedCall(call, { publicKey, now: begin(vector, vector.seconds * 1000) })).toBe('expired')
  })

  test.each(vectors)("refuses '$name' with anything else in it", (vector) => {
    const headers = { ...vector.headers, host: 'storage.googleapis.com' }
    const target = targetOf(vector)
    const now = begin(vector, 0)
    for (const call of [
      { method: 'DELETE', target, headers },
      { method: vector.method, target: target.replace('test-object', 'other-object'), headers },
      { method: vector.method, target: target.replace(/Expires=\d+/, 'Expires=11'), headers },
      { method: vector.method, target: `${target}&other=1`, headers },
      { method: vector.method, target, headers: { ...headers, host: 'example.com' } },
      { method: vector.method, target: target.slice(0, -1) + (target.endsWith('0') ? '1' : '0'), headers },
    ]) {
      expect(checkSignedCall(call, { publicKey, now })).toBe('mismatch')
    }
    expect(checkSignedCall({ method: 'GET', target: vector.path, headers }, { publicKey, now })).toBe('none')
  })
})
