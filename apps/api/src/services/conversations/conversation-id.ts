import { createHash, randomUUIDv7 } from 'node:crypto';

/** Id of the one direct conversation of two users of an app, whoever of them asks. */
export function directConversationId(appId: string, oneUser: string, otherUser: string): string {
  const pair = [Buffer.from(oneUser, 'utf8'), Buffer.from(otherUser, 'utf8')].sort(Buffer.compare);
  return derivedId([appId, 'd', ...pair]);
}

/** Id of a group or channel that its creator gave an idempotency key. */
export function keyedConversationId(appId: string, creatorId: string, key: string): string {
  return derivedId([appId, 'k', creatorId, key]);
}

/** Id of any other conversation: UUIDv7, so that ids made together lie together in the index. */
export const newConversationId = (): string => randomUUIDv7();

/**
 * UUIDv8 (RFC 9562, 5.8) from the first 128 bits of SHA-256 over the parts. Each part is preceded by its length in bytes (32 bits, big
 * endian), so that no two lists of parts have the same text.
 */
function derivedId(parts: readonly (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  const id = hash.digest().subarray(0, 16);
  id.writeUInt8((id.readUInt8(6) & 0x0f) | 0x80, 6);
  id.writeUInt8((id.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = id.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
