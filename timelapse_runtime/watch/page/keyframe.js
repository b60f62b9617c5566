// The first picture of a segment, from the head of its bytes: a segment begins with a keyframe, so one range request
// reads it, about a hundredth of the segment. Needs WebCodecs, which browsers have on https and on this machine.
// Sources: ISO/IEC 14496-12, clause 8.8 (moof); 14496-15, clauses 5.3 (avcC) and 8.3 (hvcC); AV1 Codec ISO Media File
// Format Binding 1.2 (av1C); W3C WebCodecs (July 2025), section 4.

import { boxes, find, firstSampleSize } from "./boxes.js";
import { requestRange } from "./source.js";

const SMALLEST_HEAD_BYTES = 32_768;
const SPARE = 1.25; // the next keyframe may be larger than the last one by this factor, without a second request
const VISUAL_SAMPLE_ENTRY_BYTES = 78;

export const canDecodeKeyframes = "VideoDecoder" in globalThis && "EncodedVideoChunk" in globalThis;

let headBytes = SMALLEST_HEAD_BYTES;

// {picture, head}: a VideoFrame, which the caller closes, and the bytes at the segment's beginning, which name its first
// photos. `init` are the bytes of the reel's init segment; `segment` is one of a Reel. Raises Failure if the bytes cannot
// be read, and Error if they cannot be decoded.
export async function readKeyframe(init, segment) {
  const { head, sample } = await readSample(segment);
  return { picture: await decode(decoderConfig(init), sample), head };
}

async function readSample({ url, range }) {
  const begin = range ? range[0] : 0;
  const end = range ? range[1] : Infinity;
  const read = (from, to) => requestRange(url, [begin + from, Math.min(begin + to, end)]);
  let head = await read(0, headBytes);
  let place = placeOfFirstSample(new DataView(head));
  if (!place) { // the moof alone is longer
    head = await read(0, headBytes * 4);
    place = placeOfFirstSample(new DataView(head));
    if (!place) throw new Error(`${url}: no fragment at its beginning`);
  }
  headBytes = Math.max(SMALLEST_HEAD_BYTES, Math.ceil(place.end * SPARE));
  if (place.end <= head.byteLength) return { head, sample: head.slice(place.start, place.end) };
  const rest = await read(head.byteLength, place.end);
  return { head, sample: await new Blob([head.slice(place.start), rest]).arrayBuffer() };
}

// {start, end} in the segment; null if its first moof is not whole. Its first sample is the first one of the mdat.
function placeOfFirstSample(view) {
  let size = null;
  let position = 0;
  for (const box of boxes(view)) {
    if (box.type === "moof") size = firstSampleSize(view, box);
    position = box.end;
    if (size !== null) break;
  }
  return size === null ? null : { start: position + 8, end: position + 8 + size };
}

// What names a codec in an init segment: the sample entry, the box inside it that configures the decoder, and from
// that box's bytes the codec's name, as RFC 6381 has it.
const CODECS = [
  { entry: "avc1", box: "avcC", name: (bytes) => `avc1.${hex(bytes.subarray(1, 4))}` },
  { entry: "hvc1", box: "hvcC", name: hevcName },
  { entry: "av01", box: "av1C", name: av1Name },
];

// That of a VideoDecoder. Raises Error if there is none.
export function decoderConfig(init) {
  const view = new DataView(init);
  const stsd = find(view, ["moov", "trak", "mdia", "minf", "stbl", "stsd"]);
  for (const { entry, box, name } of stsd ? CODECS : []) {
    const sample = find(view, [entry], stsd.payload + 8, stsd.end);
    const found = sample && find(view, [box], sample.payload + VISUAL_SAMPLE_ENTRY_BYTES, sample.end);
    if (!found) continue;
    const bytes = new Uint8Array(init, found.payload, found.end - found.payload);
    // An AV1 keyframe has its sequence header with it.
    return { codec: name(bytes), optimizeForLatency: true, ...(entry === "av01" ? {} : { description: bytes }) };
  }
  throw new Error("the init segment is of no known codec");
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// Source: ISO/IEC 14496-15, annex E.3: profile, compatibility flags in reverse bit order, tier and level, constraints.
function hevcName(bytes) {
  const flags = new DataView(bytes.buffer, bytes.byteOffset).getUint32(2);
  let reversed = 0;
  for (let bit = 0; bit < 32; bit++) if ((flags >>> bit) & 1) reversed |= 1 << (31 - bit);
  const space = ["", "A", "B", "C"][bytes[1] >> 6];
  const constraints = Array.from(bytes.subarray(6, 12));
  while (constraints.length && constraints.at(-1) === 0) constraints.pop();
  const tier = bytes[1] & 32 ? "H" : "L";
  const parts = [`hvc1.${space}${bytes[1] & 31}`, (reversed >>> 0).toString(16), `${tier}${bytes[12]}`];
  return [...parts, ...constraints.map((byte) => byte.toString(16))].join(".");
}

// Source: AV1 Codec ISO Media File Format Binding 1.2, section 5: profile, level and tier, bit depth.
function av1Name(bytes) {
  const [level, tier] = [bytes[1] & 31, bytes[2] & 128 ? "H" : "M"];
  const depth = bytes[2] & 64 ? (bytes[2] & 32 ? 12 : 10) : 8;
  return `av01.${bytes[1] >> 5}.${String(level).padStart(2, "0")}${tier}.${String(depth).padStart(2, "0")}`;
}

async function decode(config, data) {
  let picture = null;
  let failure = null;
  const decoder = new VideoDecoder({
    output: (frame) => {
      picture?.close();
      picture = frame;
    },
    error: (error) => (failure = error),
  });
  decoder.configure(config);
  decoder.decode(new EncodedVideoChunk({ type: "key", timestamp: 0, data }));
  await decoder.flush().catch((error) => (failure ??= error));
  if (decoder.state !== "closed") decoder.close();
  if (!picture) throw failure ?? new Error("the keyframe gave no picture");
  return picture;
}

// Draw a picture of this size small.
export function draw(canvas, image, width, height) {
  [canvas.width, canvas.height] = [320, Math.round((320 * height) / width)];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
}
