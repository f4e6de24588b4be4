// A process that is asked what a zip bomb is, and says how much memory that took: node type-of-bomb.ts
import { headBytes, realType } from '../../../../src/files/uploads/real-type.ts'
import { zipBomb } from './zip-bomb.ts'

const bomb = zipBomb(['[Content_Types].xml', 'mimetype', 'word/document.xml'], 60)
// The library is loaded, and whatever made the bomb has had its memory.
await realType(Buffer.from('%PDF-1.7'), 'application/pdf')
const before = process.resourceUsage().maxRSS
const types: (string | undefined)[] = []
for (const head of [bomb, bomb.subarray(0, headBytes)]) types.push(await realType(head, 'application/zip'))
console.log(JSON.stringify({ types, grownMb: (process.resourceUsage().maxRSS - before) / 1024 }))
