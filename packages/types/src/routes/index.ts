import type { Limits } from '../limits.ts';
import { adminRoutes } from './admin.ts';
import { conversationRoutes } from './conversations.ts';
import { gatewayRoutes } from './gateways.ts';
import { meRoutes } from './me.ts';
import { memberRoutes } from './members.ts';
import { messageRoutes } from './messages.ts';
import { sessionRoutes } from './sessions.ts';
import { syncRoutes } from './sync.ts';

/** Every HTTP route of the product, by operation id, under the bounds in force. */
export const createRoutes = (limits: Limits) => ({
  ...conversationRoutes(limits),
  ...memberRoutes(limits),
  ...messageRoutes(limits),
  ...meRoutes(limits),
  ...gatewayRoutes(),
  ...adminRoutes(limits),
  ...sessionRoutes(limits),
  ...syncRoutes(limits),
});

/** See {@link createRoutes}. */
export type Routes = ReturnType<typeof createRoutes>;

/** Operation ids. */
export type RouteName = keyof Routes;

export { adminRoutes } from './admin.ts';
export { conversationRoutes } from './conversations.ts';
export { gatewayRoutes } from './gateways.ts';
export { meRoutes } from './me.ts';
export { memberRoutes } from './members.ts';
export { messageRoutes } from './messages.ts';
export type { Route, RouteAnswer, RouteAuth, RouteInput } from './route.ts';
export { sessionRoutes } from './sessions.ts';
export { syncRoutes } from './sync.ts';
