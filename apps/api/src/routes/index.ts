import type { BoundRoute } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { adminCreateConversation } from './admin/create-conversation.ts';
import { mintUserToken } from './admin/mint-token.ts';
import { upsertUsers } from './admin/upsert-users.ts';
import { createConversation } from './conversations/create-conversation.ts';
import { getConversation } from './conversations/get-conversation.ts';
import { listGateways } from './gateways/list-gateways.ts';
import { listMembers } from './members/list-members.ts';
import { putMember } from './members/put-member.ts';
import { removeMember } from './members/remove-member.ts';
import { markRead } from './messages/mark-read.ts';
import { sendMessage } from './messages/send-message.ts';
import type { ApiServices } from './services.ts';

/** Routes of the API that every message or reader takes: on the listener that skips Express. */
export const hotRoutes = (routes: Routes, services: ApiServices): BoundRoute[] => [
  sendMessage(routes, services),
  markRead(routes, services),
];

/** All other routes of the API. */
export const coldRoutes = (routes: Routes, services: ApiServices): BoundRoute[] => [
  createConversation(routes, services),
  getConversation(routes, services),
  listMembers(routes, services),
  putMember(routes, services),
  removeMember(routes, services),
  listGateways(routes, services),
  upsertUsers(routes, services),
  mintUserToken(routes, services),
  adminCreateConversation(routes, services),
];
