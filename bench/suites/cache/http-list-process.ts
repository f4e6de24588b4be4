// One server of the list in a process of its own.
import {
  openConstantList,
  openPlimsollList,
  type ListOptions,
  type ListServer,
} from '../../contestants/cache/http-list.ts'
import { startCpuProfile } from '../../harness/cpu-profile.ts'
import { serveWorker } from '../../harness/worker.ts'

export type ListRequest =
  | ({ readonly type: 'plimsoll' } & ListOptions)
  | { readonly type: 'constant'; readonly headers: Readonly<Record<string, string>>; readonly body: Buffer }
  | { readonly type: 'cpu' }
  | { readonly type: 'close' }

const [profileFile] = process.argv.slice(2)
let server: ListServer | undefined
let endProfile: (() => Promise<void>) | undefined

serveWorker<ListRequest>(async (request) => {
  switch (request.type) {
    case 'plimsoll':
      server = await openPlimsollList(request)
      if (profileFile !== undefined) endProfile = await startCpuProfile(profileFile)
      return server.port
    case 'constant':
      server = await openConstantList(request)
      return server.port
    case 'cpu': {
      const { user, system } = process.cpuUsage()
      return user + system
    }
    case 'close':
      await endProfile?.()
      await server?.close()
      return undefined
  }
})
