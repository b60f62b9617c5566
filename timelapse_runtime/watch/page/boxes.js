// The boxes of an MP4 file.
// Source: ISO/IEC 14496-12, clauses 4.2 (boxes) and 8.8 (moof).

export function* boxes(view, start = 0, end = view.byteLength) {
  let position = start;
  while (position + 8 <= end) {
    let size = view.getUint32(position);
    let header = 8;
    if (size === 1) {
      size = Number(view.getBigUint64(position + 8));
      header = 16;
    }
    if (size < header || position + size > end) return; // cut off: what came before is whole
    yield { type: fourLetters(view, position + 4), start: position, payload: position + header, end: position + size };
    position += size;
  }
}

function fourLetters(view, position) {
  return String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + position, 4));
}

export function find(view, path, start = 0, end = view.byteLength) {
  for (const box of boxes(view, start, end)) {
    if (box.type !== path[0]) continue;
    if (path.length === 1) return box;
    const inner = find(view, path.slice(1), box.payload, box.end);
    if (inner) return inner;
  }
  return null;
}

// The samples of a `moof`, in decode order: {decoded, duration, shown, size, flags}, times in ticks; and its `trun`. Empty if
// it has none.
export function fragmentSamples(view, moof) {
  const [tfhd, tfdt, trun] = ["tfhd", "tfdt", "trun"].map((type) => find(view, ["traf", type], moof.payload, moof.end));
  if (!tfhd || !tfdt || !trun) return { trun: null, samples: [] };
  let decoded = view.getUint8(tfdt.payload) === 1 ? Number(view.getBigUint64(tfdt.payload + 4)) : view.getUint32(tfdt.payload + 4);
  const tfhdFlags = view.getUint32(tfhd.payload) & 0xffffff;
  let position = tfhd.payload + 8 + (tfhdFlags & 1 ? 8 : 0) + (tfhdFlags & 2 ? 4 : 0);
  const next = (isThere, otherwise) => (isThere ? view.getUint32((position += 4) - 4) : otherwise);
  const usual = { duration: next(tfhdFlags & 8, 0), size: next(tfhdFlags & 0x10, 0), flags: next(tfhdFlags & 0x20, 0) };
  const trunFlags = view.getUint32(trun.payload) & 0xffffff;
  position = trun.payload + 8 + (trunFlags & 1 ? 4 : 0);
  const firstFlags = next(trunFlags & 4, null);
  const samples = Array.from({ length: view.getUint32(trun.payload + 4) }, (_, index) => {
    const duration = next(trunFlags & 0x100, usual.duration);
    const size = next(trunFlags & 0x200, usual.size);
    const flags = next(trunFlags & 0x400, index === 0 && firstFlags !== null ? firstFlags : usual.flags);
    const shown = decoded + (next(trunFlags & 0x800, 0) | 0); // signed
    decoded += duration;
    return { decoded: decoded - duration, duration, shown, size, flags };
  });
  return { trun, samples };
}

// The first sample's size in a `moof`, in bytes. Null if there is none.
export function firstSampleSize(view, moof) {
  return fragmentSamples(view, moof).samples[0]?.size || null;
}
