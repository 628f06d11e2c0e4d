import type { CatchUpPlan, CatchUpResult } from './catch-up.ts';
import type { Cast, ChatPlan, ChatResult } from './chat.ts';
import type { IdlePlan, IdleResult } from './idle.ts';
import type { PagesPlan, PagesResult } from './pages.ts';
import type { SendsPlan, SendsResult } from './sends.ts';

/** What the bench may ask of a load process, and what it answers. One operation at a time. */
export interface Operations {
  /** Connects everybody of a chat; `kind` picks the system. */
  open: (request: { readonly kind: 'nudge' | 'bare'; readonly cast: Cast }) => null;
  talk: (plan: ChatPlan) => ChatResult;
  /** Disconnects the chat. */
  leave: (request: null) => null;
  idle: (plan: IdlePlan) => IdleResult;
  catchUp: (plan: CatchUpPlan) => CatchUpResult;
  pages: (plan: PagesPlan) => PagesResult;
  sends: (plan: SendsPlan) => SendsResult;
}

export type OperationName = keyof Operations;
export type Request<Name extends OperationName> = Parameters<Operations[Name]>[0];
export type Answer<Name extends OperationName> = ReturnType<Operations[Name]>;
