/** Where a job lies. */
export interface JobPlaces {
  readonly self: string
  readonly result: string
  readonly events: string
}

/** Where a job lies under the path of all of them. */
export function jobPlaces(path: string, id: string): JobPlaces {
  const self = `${path.replace(/\/$/, '')}/${id}`
  return { self, result: `${self}/result`, events: `${self}/events` }
}
