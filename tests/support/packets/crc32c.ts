/** The checksum of SCTP (RFC 9260, appendix A). */

/** Castagnoli's polynomial, its bits reversed. */
const POLYNOMIAL = 0x82f63b78;

const TABLE = Uint32Array.from(
  { length: 256 },
  (_, byte) =>
    Array.from({ length: 8 }).reduce<number>(
      (rest) => rest >>> 1 ^ ((rest & 1) === 1 ? POLYNOMIAL : 0),
      byte,
    ),
);

/** Of these bytes, as it is written: the lowest byte first. */
export function crc32c(bytes: Uint8Array): number {
  const rest = bytes.reduce(
    (sum, byte) => sum >>> 8 ^ (TABLE[(sum ^ byte) & 255] ?? 0),
    0xffffffff,
  );
  return (rest ^ 0xffffffff) >>> 0;
}
