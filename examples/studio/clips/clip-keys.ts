/** What all keys of clips begin with. */
export const clipsFolder = 'clips/'

/** The folder in the storage that a clip, and all that is made of it, lies in. */
export const folderOf = (id: string): string => `${clipsFolder}${id}`

/** The clip that a key is of. */
export const idOf = (key: string): string => key.slice(clipsFolder.length).split('/', 1)[0]!
