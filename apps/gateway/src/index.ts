export { type GatewayConfig, gatewayConfig, readGatewayConfig } from './config.ts';
export { createGateway, type Gateway, type GatewayDeps } from './gateway.ts';
export type { MemberOf, MembershipSource } from './services/membership.ts';
export type { Standing } from './services/watched-conversation.ts';
export { createKickStore } from './store/kick-store.ts';
export { createMembershipStore } from './store/membership-store.ts';
