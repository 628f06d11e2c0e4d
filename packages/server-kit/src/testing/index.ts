export { busConformance } from './bus-conformance.ts';
export { eventually } from './eventually.ts';
export { gatewayDirectoryConformance } from './gateway-directory-conformance.ts';
export { ManualClock } from './manual-clock.ts';
export { rateLimiterConformance } from './rate-limiter-conformance.ts';
export { type SelfSigned, selfSigned } from './self-signed.ts';
export { sessionRegistryConformance } from './session-registry-conformance.ts';
