// Signatures that providers have published, or that their own libraries have made.

/** BunnyWay/BunnyCDN.TokenAuthentication, e2e/inputs.json and e2e/vectors.json, which are signed with `SecurityKey` until 1598024587. */
export const bunnyVectors: readonly {
  readonly name: string
  readonly path: string
  readonly parameters: [string, string][]
  readonly ip: string | undefined
  readonly directory: boolean
  readonly signedUrl: string
}[] = [
  {
    name: 'plain',
    path: '/300kb.jpg',
    parameters: [],
    ip: undefined,
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-o10JRWlsAItyAsdKS6jJKjabHN4FrFsplDHPV1idcX4&expires=1598024587',
  },
  {
    name: 'countries_only',
    path: '/300kb.jpg',
    parameters: [['token_countries', 'CA,US']],
    ip: undefined,
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-i5s3Uv7mnrFfN5nznwU2BxhILpnipYeE18TapV0WNFM&token_countries=CA%2CUS&expires=1598024587',
  },
  {
    name: 'blocked_only',
    path: '/300kb.jpg',
    parameters: [['token_countries_blocked', 'RU,CN']],
    ip: undefined,
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-JS8dSuBSjSH-W2-xhdkCPC36-2rlxfDCQJjlNMPqKZQ&token_countries_blocked=RU%2CCN&expires=1598024587',
  },
  {
    name: 'path_only',
    path: '/abc/300kb.jpg',
    parameters: [['token_path', '/abc']],
    ip: undefined,
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/abc/300kb.jpg?token=HS256-uVZvT3SbEoVKYJyDJgbcsDmSFf73cv-uNUVaJiKWpbQ&token_path=%2Fabc&expires=1598024587',
  },
  {
    name: 'ignore_params',
    path: '/300kb.jpg',
    parameters: [['token_ignore_params', 'true']],
    ip: undefined,
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-1lwWBD_c1IAGSj1UKPoxreu8ePDQ-Z9FoWLcRn_RRH0&token_ignore_params=true&expires=1598024587',
  },
  {
    name: 'limit_only',
    path: '/300kb.jpg',
    parameters: [['limit', '1000']],
    ip: undefined,
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-DAVapqNNED3Z7JkjRTYX0UOIHNtbHEuuhRNEc4A7mMQ&limit=1000&expires=1598024587',
  },
  {
    name: 'ip_v4_only',
    path: '/300kb.jpg',
    parameters: [],
    ip: '1.2.3.4',
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-1-L2rISTLcujMY9UFf2tbZ41d5i-Bme1g1oTK_Z2QMLJk&expires=1598024587',
  },
  {
    name: 'ip_v6_only',
    path: '/300kb.jpg',
    parameters: [],
    ip: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-1-Z1BaGdhTZdU4iANcyKpurFR2VgCNdqC6hlBv5x_TyaI&expires=1598024587',
  },
  {
    name: 'ip_v4_countries',
    path: '/abc/',
    parameters: [['token_countries', 'CA,US']],
    ip: '1.2.3.4',
    directory: true,
    signedUrl:
      'https://token-tester.b-cdn.net/bcdn_token=HS256-1-4lIDGI2_t3wiTmopXzB7z71wtZKTe1Ic0lDlL72iAJw&token_countries=CA%2CUS&expires=1598024587/abc/',
  },
  {
    name: 'ip_v6_countries',
    path: '/abc/',
    parameters: [['token_countries', 'CA,US']],
    ip: '2001:0db8:85a3:0000:0000:8a2e:0370:7334',
    directory: true,
    signedUrl:
      'https://token-tester.b-cdn.net/bcdn_token=HS256-1-LGpoP8i1bV4P1kN4NrO_iYxLJuLAD2R3Clstsy9kWAc&token_countries=CA%2CUS&expires=1598024587/abc/',
  },
  {
    name: 'ip_v4_limit',
    path: '/abc/',
    parameters: [['limit', '5000']],
    ip: '1.2.3.4',
    directory: true,
    signedUrl:
      'https://token-tester.b-cdn.net/bcdn_token=HS256-1-X01Z6A9xAo1_ds1XFf9y8gAIzk_JpmoevOx7EtgMQhY&limit=5000&expires=1598024587/abc/',
  },
  {
    name: 'ip_v4_path',
    path: '/abc/300kb.jpg',
    parameters: [['token_path', '/abc']],
    ip: '1.2.3.4',
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/abc/300kb.jpg?token=HS256-1-wag9tC0r1QWfg-2eMj5QcdzgPLCIdQb-D0WVU1Mhg2w&token_path=%2Fabc&expires=1598024587',
  },
  {
    name: 'ip_v4_ignore',
    path: '/300kb.jpg',
    parameters: [['token_ignore_params', 'true']],
    ip: '1.2.3.4',
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-1-rWalmQRJ-A_qrb08-JoeU3b-gOS5mJiJjPOfDWa0gsQ&token_ignore_params=true&expires=1598024587',
  },
  {
    name: 'ip_v4_blocked',
    path: '/300kb.jpg',
    parameters: [['token_countries_blocked', 'RU,CN']],
    ip: '1.2.3.4',
    directory: false,
    signedUrl:
      'https://token-tester.b-cdn.net/300kb.jpg?token=HS256-1-myF6Rnz7Z9VAfAjjkyUHJQ_6gr-AJ7VyPsG5rQdQKm8&token_countries_blocked=RU%2CCN&expires=1598024587',
  },
]

/** akamai/AkamaiOPEN-edgegrid-node, test/test_data.json. */
export const edgeGridVectors: readonly {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly body: string
  readonly signature: string
}[] = [
  {
    name: 'simple GET',
    method: 'GET',
    path: '/',
    body: '',
    signature: 'tL+y4hxyHxgWVD30X3pWnGKHcPzmrIF+LThiAOhMxYU=',
  },
  {
    name: 'GET with querystring',
    method: 'GET',
    path: '/testapi/v1/t1?p1=1&p2=2',
    body: '',
    signature: 'hKDH1UlnQySSHjvIcZpDMbQHihTQ0XyVAKZaApabdeA=',
  },
  {
    name: 'POST inside limit',
    method: 'POST',
    path: '/testapi/v1/t3',
    body: 'data'.repeat(8),
    signature: 'hXm4iCxtpN22m4cbZb4lVLW5rhX8Ca82vCFqXzSTPe4=',
  },
  {
    name: 'POST too large',
    method: 'POST',
    path: '/testapi/v1/t3',
    body: 'd'.repeat(2049),
    signature: '6Q6PiTipLae6n4GsSIDTCJ54bEbHUBp+4MUXrbQCBoY=',
  },
  {
    name: 'POST length equals max_body',
    method: 'POST',
    path: '/testapi/v1/t3',
    body: 'd'.repeat(2048),
    signature: '6Q6PiTipLae6n4GsSIDTCJ54bEbHUBp+4MUXrbQCBoY=',
  },
  {
    name: 'POST empty body',
    method: 'POST',
    path: '/testapi/v1/t6',
    body: '',
    signature: '1gEDxeQGD5GovIkJJGcBaKnZ+VaPtrc4qBUHixjsPCQ=',
  },
  {
    name: 'PUT test',
    method: 'PUT',
    path: '/testapi/v1/t6',
    body: 'P'.repeat(31),
    signature: 'GNBWEYSEWOLtu+7dD52da2C39aX/Jchpon3K/AmBqBU=',
  },
]
