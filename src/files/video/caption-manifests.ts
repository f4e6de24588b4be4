import type { StoredCaption } from './captions.ts'

/** Names captions in the HLS playlist of a package that has none. */
export function withHlsCaptions(text: string, captions: readonly StoredCaption[]): string {
  const media = captions.map(
    ({ name, language, label }) =>
      `#EXT-X-MEDIA:TYPE=SUBTITLES,URI="${name}/index.m3u8",GROUP-ID="captions",LANGUAGE="${language}",NAME="${label}",DEFAULT=NO,AUTOSELECT=YES\n`,
  )
  const first = text.indexOf('#EXT-X-STREAM-INF:')
  const variants = text.slice(first).replaceAll(/^#EXT-X-STREAM-INF:.*$/gm, '$&,SUBTITLES="captions"')
  return `${text.slice(0, first)}${media.join('')}\n${variants}`
}

/** Names captions in the DASH manifest of a package that has none: players load each, as it came, when it is turned on. */
export function withDashCaptions(text: string, captions: readonly StoredCaption[]): string {
  const sets = captions.map(
    ({ name, language, label }) =>
      // Players ask for a rate; that of text is next to nothing.
      `    <AdaptationSet contentType="text" mimeType="text/vtt" lang="${language}">
      <Label>${xmlText(label)}</Label>
      <Role schemeIdUri="urn:mpeg:dash:role:2011" value="subtitle"/>
      <Representation id="${name}.vtt" bandwidth="256">
        <BaseURL>${name}.vtt</BaseURL>
      </Representation>
    </AdaptationSet>
`,
  )
  const end = text.lastIndexOf('  </Period>')
  return `${text.slice(0, end)}${sets.join('')}${text.slice(end)}`
}

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
