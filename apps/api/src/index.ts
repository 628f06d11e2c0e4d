export { type Api, type ApiDeps, type ApiStores, createApi } from './api.ts';
export { type ApiConfig, apiConfig, readFailpoint, readSweeperConfig, type SweeperConfig } from './config.ts';
export { createOpenApiDocument } from './openapi/document.ts';
export { serverScopes } from './services/admin/scope.ts';
export { directConversationId, keyedConversationId } from './services/conversations/conversation-id.ts';
export { type FailpointName, type Failpoints, killAt, noFailpoints } from './services/failpoints.ts';
export { createApiStores } from './store/create-stores.ts';
