import { connect } from 'node:net';

/** Sends `count` messages over one connection without waiting for an answer; resolves with the seqs in the order of the answers. */
export function sendPipelined(url: string, token: string, conversationId: string, count: number): Promise<number[]> {
  const { hostname, port, host } = new URL(url);
  const requests = Array.from({ length: count }, (_, n) => {
    const body = JSON.stringify({ clientMsgId: `p${n}`, body: { n } });
    return `POST /v1/conversations/${conversationId}/messages HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  });
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`the connection was closed; so far: ${text.slice(-300)}`)));
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const seqs = [...text.matchAll(/"seq":(\d+)/g)].map(([, seq]) => Number(seq));
      if (seqs.length < count) return;
      socket.removeAllListeners('close').destroy();
      resolve(seqs);
    });
    socket.write(requests.join(''));
  });
}
