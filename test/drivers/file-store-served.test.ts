import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { answerWithProblems, openFastify } from '../../src/app/open-fastify.ts'
import { serveFiles } from '../../src/app/serve-files.ts'
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import { openFiles } from '../../src/files/index.ts'
import { signedAddresses } from '../../src/http/index.ts'
import type { Postgres } from '../../src/postgres/index.ts'
import { holdToSuite } from './file-store-suite.ts'

let folder = ''
let fastify: FastifyInstance
let addresses = ''

/** As another process with the same secret would open it: it signs, and the one that listens answers. */
function open(to: FastifyInstance) {
  const links = signedAddresses({ secret: 'a secret of the tests', url: addresses })
  const files = openFiles({ store: diskStore({ folder: join(folder, 'files') }), links })
  // Nobody uploads here, which is all that the database is for.
  const postgres = {} as Postgres
  serveFiles(to, { files, addresses: links, postgres })
  return files
}

holdToSuite(
  {
    name: 'a folder that an application serves',
    lacks: {},
    open: async () => open(openFastify({})),
    async start() {
      folder = mkdtempSync(join(tmpdir(), 'plimsoll-files-'))
      addresses = '/_files'
      fastify = openFastify({})
      answerWithProblems(fastify)
      const files = open(fastify)
      fastify.addHook('onClose', () => files.close())
      await fastify.listen({ port: 0, host: '127.0.0.1' })
      addresses = `http://127.0.0.1:${(fastify.server.address() as AddressInfo).port}/_files`
    },
    async stop() {
      await fastify.close()
      rmSync(folder, { recursive: true, force: true })
    },
  },
  ['direct'],
)
