// Makes an image, closes nothing, and has to end by itself.
import { parseLimits } from '../../../src/files/images/image-limits.ts'
import { openImageMaker } from '../../../src/files/images/image-maker.ts'
import { parseVariant, type ImageVariant } from '../../../src/files/images/image-variant.ts'

const [input, output, what = '{"width":8}'] = process.argv.slice(2)
const variant = parseVariant(JSON.parse(what) as ImageVariant, 'variant')
const { sizes } = await openImageMaker().make(
  { input: input!, outputs: [{ file: output!, variant }] },
  { limits: parseLimits() },
)
console.log(JSON.stringify(sizes))
