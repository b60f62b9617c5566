// Segments whose frames are held, in a form that browsers seek in. Decoding runs ahead of presentation (video/mux.py), so a
// sample's duration is that of a frame shown before it. Chromium and Firefox take it for the time in which the sample's own
// frame is shown: a seek then leads to an earlier frame, and a segment ends too late for the next one. So each sample
// becomes a fragment of its own, and its duration that of its frame. Frames are shown when they were before.
// Source: ISO/IEC 14496-12, clause 8.8; Media Source Extensions (W3C, November 2016), section 3.5.8, 'coded frame duration'.

import { boxes, find, fragmentSamples } from "./boxes.js";

const BOX_BYTES = { mfhd: 16, tfhd: 16, tfdt: 20, trun: 36 };
const TRAF_BYTES = 8 + BOX_BYTES.tfhd + BOX_BYTES.tfdt + BOX_BYTES.trun;
const MOOF_BYTES = 8 + BOX_BYTES.mfhd + TRAF_BYTES;

// The init segment's bytes without its edit list. hls.js does not know it, and where a browser has moved a short segment by
// it, hls.js looks for the segment in vain.
export function withoutEdits(buffer) {
  const changed = buffer.slice(0);
  const view = new DataView(changed);
  const edts = find(view, ["moov", "trak", "edts"]);
  if (edts) writeType(view, edts.start + 4, "free");
  return changed;
}

// The segment's bytes, changed. `end` is the tick at which its last frame ends, in the track's own time.
export function withOwnDurations(buffer, end) {
  const view = new DataView(buffer);
  const samples = samplesOf(view);
  const shown = samples.map((sample) => sample.shown).sort((one, other) => one - other);
  const ends = new Map(shown.map((time, index) => [time, shown[index + 1] ?? Math.max(end, time + 1)]));
  // Decoding goes on in the shortest steps: no frame is decoded later than before, and none long after the one before.
  const step = Math.min(...samples.map(({ duration }) => duration));
  const bytes = new Uint8Array(samples.reduce((sum, { size }) => sum + MOOF_BYTES + 8 + size, 0));
  const made = new DataView(bytes.buffer);
  let position = 0;
  samples.forEach((sample, index) => {
    const decoded = samples[0].decoded + index * step;
    writeMoof(made, position, index + 1, { ...sample, decoded, duration: ends.get(sample.shown) - sample.shown });
    position += MOOF_BYTES;
    made.setUint32(position, 8 + sample.size);
    writeType(made, position + 4, "mdat");
    bytes.set(new Uint8Array(buffer, sample.start, sample.size), position + 8);
    position += 8 + sample.size;
  });
  return bytes.buffer;
}

// With the track's number, and where each one's bytes begin.
function samplesOf(view) {
  const found = [];
  for (const moof of boxes(view)) {
    if (moof.type !== "moof") continue;
    const { trun, samples } = fragmentSamples(view, moof);
    if (!trun) continue;
    const track = view.getUint32(find(view, ["traf", "tfhd"], moof.payload, moof.end).payload + 4);
    let start = moof.start + view.getInt32(trun.payload + 8);
    for (const sample of samples) {
      found.push({ ...sample, track, start });
      start += sample.size;
    }
  }
  return found;
}

function writeMoof(made, position, sequence, { track, decoded, duration, shown, size, flags }) {
  let place = position;
  const box = (type, bytes, ...values) => {
    made.setUint32(place, bytes);
    writeType(made, place + 4, type);
    values.forEach((value, index) => made.setUint32(place + 8 + 4 * index, value));
    place += 8 + 4 * values.length;
  };
  box("moof", MOOF_BYTES);
  box("mfhd", BOX_BYTES.mfhd, 0, sequence);
  box("traf", TRAF_BYTES);
  box("tfhd", BOX_BYTES.tfhd, 0x020000, track); // offsets count from the moof
  box("tfdt", BOX_BYTES.tfdt, 0x01000000, Math.floor(decoded / 2 ** 32), decoded % 2 ** 32);
  box("trun", BOX_BYTES.trun, 0x01000f01, 1, MOOF_BYTES + 8, duration, size, flags, shown - decoded);
}

function writeType(made, position, type) {
  for (let index = 0; index < 4; index += 1) made.setUint8(position + index, type.charCodeAt(index));
}
