import type { Reply, Request } from './http.ts';
import type { Person, World } from './world.ts';

/** What a member does to a conversation and its messages, each as one request whose answer is still to be judged. */
export interface Acts {
  /** A send of a text or a whole body, under a clientMsgId of its own unless `more` names one. */
  send(by: Person, id: string, body: string | object, more?: object): Promise<Reply<'sendMessage'>>;
  /** A send that must succeed; returns its seq. */
  said(by: Person, id: string, body: string | object, more?: object): Promise<number>;
  edit(by: Person, id: string, seq: number, body: string | object, more?: object): Promise<Reply<'editMessage'>>;
  redact(by: Person, id: string, seq: number): Promise<Reply<'redactMessage'>>;
  react(by: Person, id: string, seq: number, emoji: string): Promise<Reply<'addReaction'>>;
  unreact(by: Person, id: string, seq: number, emoji: string): Promise<Reply<'removeReaction'>>;
  pin(by: Person, id: string, seq: number): Promise<Reply<'pinMessage'>>;
  unpin(by: Person, id: string, seq: number): Promise<Reply<'unpinMessage'>>;
  update(by: Person, id: string, body: object): Promise<Reply<'updateConversation'>>;
  put(by: Person, id: string, who: Person, role?: string): Promise<Reply<'putMember'>>;
  remove(by: Person, id: string, who: Person | 'me'): Promise<Reply<'removeMember'>>;
  mute(by: Person, id: string, who: Person, seconds?: number): Promise<Reply<'muteMember'>>;
  unmute(by: Person, id: string, who: Person): Promise<Reply<'unmuteMember'>>;
  ban(by: Person, id: string, who: Person, seconds?: number): Promise<Reply<'banMember'>>;
  unban(by: Person, id: string, who: Person): Promise<Reply<'unbanMember'>>;
  transfer(by: Person, id: string, to: Person): Promise<Reply<'transferOwnership'>>;
  mark(by: Person, id: string, seq: number): Promise<Reply<'markRead'>>;
}

let sends = 0;

/** See {@link Acts}. Takes what calls the routes, so that one act can go to either of two servers. */
export function actsOn(http: () => Pick<World['http'], 'call'>): Acts {
  const of = (id: string, more: Request['params'] = {}) => ({ conversationId: id, ...more });
  const entry = (id: string, seq: number) => of(id, { seq: String(seq) });
  const span = (seconds: number | undefined) => (seconds === undefined ? {} : { body: { seconds } });
  const acts: Acts = {
    send(by, id, body, more = {}) {
      sends += 1;
      const message = { clientMsgId: `act-${sends}`, body: typeof body === 'string' ? { text: body } : body, ...more };
      return http().call('sendMessage', { token: by.token, params: of(id), body: message });
    },
    async said(by, id, body, more) {
      return (await acts.send(by, id, body, more)).ok(201).seq;
    },
    edit: (by, id, seq, body, more = {}) =>
      http().call('editMessage', {
        token: by.token,
        params: entry(id, seq),
        body: { body: typeof body === 'string' ? { text: body } : body, ...more },
      }),
    redact: (by, id, seq) => http().call('redactMessage', { token: by.token, params: entry(id, seq) }),
    react: (by, id, seq, emoji) => http().call('addReaction', { token: by.token, params: { ...entry(id, seq), emoji } }),
    unreact: (by, id, seq, emoji) => http().call('removeReaction', { token: by.token, params: { ...entry(id, seq), emoji } }),
    pin: (by, id, seq) => http().call('pinMessage', { token: by.token, params: entry(id, seq) }),
    unpin: (by, id, seq) => http().call('unpinMessage', { token: by.token, params: entry(id, seq) }),
    update: (by, id, body) => http().call('updateConversation', { token: by.token, params: of(id), body }),
    put: (by, id, who, role) =>
      http().call('putMember', { token: by.token, params: of(id, { userId: who.id }), ...(role === undefined ? {} : { body: { role } }) }),
    remove: (by, id, who) => http().call('removeMember', { token: by.token, params: of(id, { userId: who === 'me' ? 'me' : who.id }) }),
    mute: (by, id, who, seconds) => http().call('muteMember', { token: by.token, params: of(id, { userId: who.id }), ...span(seconds) }),
    unmute: (by, id, who) => http().call('unmuteMember', { token: by.token, params: of(id, { userId: who.id }) }),
    ban: (by, id, who, seconds) => http().call('banMember', { token: by.token, params: of(id, { userId: who.id }), ...span(seconds) }),
    unban: (by, id, who) => http().call('unbanMember', { token: by.token, params: of(id, { userId: who.id }) }),
    transfer: (by, id, to) => http().call('transferOwnership', { token: by.token, params: of(id), body: { userId: to.id } }),
    mark: (by, id, seq) => http().call('markRead', { token: by.token, params: of(id), body: { seq } }),
  };
  return acts;
}
