const words = (...lines: string[]): string[] => lines.join(' ').split(' ')

/** The formats that sources may have. None of them names other files: no playlists, no lists of files, no devices. */
const formats = words(
  'mov matroska avi mpegts mpeg mpegvideo flv asf ogg mxf nut dv gxf',
  'wav mp3 flac aac aiff caf ac3 eac3',
)

/** The codecs that sources may have. */
const codecs = words(
  'h264 hevc vvc av1 libdav1d libaom-av1 vp8 vp9 libvpx libvpx-vp9 theora mpeg1video mpeg2video mpegvideo mpeg4 msmpeg4',
  'msmpeg4v1 msmpeg4v2 h263 h263i flv wmv1 wmv2 wmv3 vc1 mjpeg png prores dnxhd cfhd dvvideo huffyuv ffvhuff ffv1 utvideo',
  'rawvideo v210 qtrle svq3 cinepak vp6 vp6f jpeg2000 libopenjpeg wrapped_avframe',
  'aac aac_fixed aac_latm libfdk_aac mp3 mp3float mp2 mp2float mp1 mp1float ac3 ac3_fixed eac3 dca truehd mlp opus libopus',
  'vorbis libvorbis flac alac wavpack speex libspeex wmav1 wmav2 wmapro wmalossless amrnb amrwb libopencore_amrnb',
  'libopencore_amrwb nellymoser adpcm_ms adpcm_ima_wav adpcm_ima_qt gsm gsm_ms pcm_alaw pcm_mulaw pcm_u8 pcm_s8 pcm_s16le',
  'pcm_s16be pcm_s24le pcm_s24be pcm_s32le pcm_s32be pcm_f32le pcm_f32be pcm_f64le pcm_f64be pcm_bluray pcm_dvd',
  'mov_text subrip srt ass ssa webvtt text dvd_subtitle dvdsub pgssub hdmv_pgs_subtitle dvbsub dvb_subtitle',
)

/** How a source is read. */
export interface MediaInputOptions {
  readonly maxPixels: number
  /** Options of ffmpeg's own for this input. */
  readonly before?: readonly string[] | undefined
}

/**
 * The arguments by which ffmpeg or ffprobe opens what strangers have sent: this one local file, in one of the formats and codecs above,
 * and nothing that the file names.
 */
export function mediaInput(path: string, { maxPixels, before = [] }: MediaInputOptions): string[] {
  return [
    ['-protocol_whitelist', 'file', '-format_whitelist', formats.join(','), '-codec_whitelist', codecs.join(',')],
    ['-max_pixels', String(maxPixels), ...before, '-i', `file:${path}`],
  ].flat()
}
