import type { BoundRoute } from '@nudge/server-kit';
import type { Routes } from '@nudge/types';
import { adminCreateConversation } from './admin/create-conversation.ts';
import { adminEditMessage } from './admin/edit-message.ts';
import { listVersions } from './admin/list-versions.ts';
import { mintUserToken } from './admin/mint-token.ts';
import { adminPutMember } from './admin/put-member.ts';
import { adminRedactMessage } from './admin/redact-message.ts';
import { adminRemoveMember } from './admin/remove-member.ts';
import { adminSendMessage } from './admin/send-message.ts';
import { adminUpdateConversation } from './admin/update-conversation.ts';
import { upsertUsers } from './admin/upsert-users.ts';
import { createConversation } from './conversations/create-conversation.ts';
import { getConversation } from './conversations/get-conversation.ts';
import { updateConversation } from './conversations/update-conversation.ts';
import { listGateways } from './gateways/list-gateways.ts';
import { blockUser } from './me/block-user.ts';
import { cancelScheduled } from './me/cancel-scheduled.ts';
import { dismissNotice } from './me/dismiss-notice.ts';
import { getMe } from './me/get-me.ts';
import { listBlocks } from './me/list-blocks.ts';
import { listScheduled } from './me/list-scheduled.ts';
import { unblockUser } from './me/unblock-user.ts';
import { updateMe } from './me/update-me.ts';
import { updatePreferences } from './me/update-preferences.ts';
import { banMember } from './members/ban-member.ts';
import { listBans } from './members/list-bans.ts';
import { listMembers } from './members/list-members.ts';
import { muteMember } from './members/mute-member.ts';
import { putMember } from './members/put-member.ts';
import { removeMember } from './members/remove-member.ts';
import { transferOwnership } from './members/transfer-ownership.ts';
import { unbanMember } from './members/unban-member.ts';
import { unmuteMember } from './members/unmute-member.ts';
import { addReaction } from './messages/add-reaction.ts';
import { editMessage } from './messages/edit-message.ts';
import { markDelivered } from './messages/mark-delivered.ts';
import { markRead } from './messages/mark-read.ts';
import { pinMessage } from './messages/pin-message.ts';
import { redactMessage } from './messages/redact-message.ts';
import { removeReaction } from './messages/remove-reaction.ts';
import { sendMessage } from './messages/send-message.ts';
import { unpinMessage } from './messages/unpin-message.ts';
import type { ApiServices } from './services.ts';
import { adminEndSession } from './sessions/admin-end-session.ts';
import { adminEndSessions } from './sessions/admin-end-sessions.ts';
import { adminListSessions } from './sessions/admin-list-sessions.ts';
import { adminPresence } from './sessions/admin-presence.ts';
import { banUser } from './sessions/ban-user.ts';
import { endSession } from './sessions/end-session.ts';
import { endSessions } from './sessions/end-sessions.ts';
import { listSessions } from './sessions/list-sessions.ts';
import { revokeTokens } from './sessions/revoke-tokens.ts';
import { unbanUser } from './sessions/unban-user.ts';
import { createNotice } from './users/create-notice.ts';
import { getPresence } from './users/get-presence.ts';
import { getUsers } from './users/get-users.ts';
import { updateApp } from './users/update-app.ts';

type RouteOf = (routes: Routes, services: ApiServices) => BoundRoute;

/** Routes that every message or reader takes. */
const hot: readonly RouteOf[] = [sendMessage, markRead, markDelivered];

const cold: readonly RouteOf[] = [
  createConversation,
  getConversation,
  updateConversation,
  listMembers,
  putMember,
  removeMember,
  transferOwnership,
  muteMember,
  unmuteMember,
  listBans,
  banMember,
  unbanMember,
  editMessage,
  redactMessage,
  addReaction,
  removeReaction,
  pinMessage,
  unpinMessage,
  listGateways,
  upsertUsers,
  mintUserToken,
  adminCreateConversation,
  adminUpdateConversation,
  adminPutMember,
  adminRemoveMember,
  adminSendMessage,
  adminEditMessage,
  adminRedactMessage,
  listVersions,
  updatePreferences,
  getMe,
  updateMe,
  listBlocks,
  blockUser,
  unblockUser,
  listScheduled,
  cancelScheduled,
  dismissNotice,
  getUsers,
  getPresence,
  createNotice,
  updateApp,
  adminEndSession,
  adminEndSessions,
  adminListSessions,
  adminPresence,
  banUser,
  endSession,
  endSessions,
  listSessions,
  revokeTokens,
  unbanUser,
];

/** Routes of the API on the listener that skips Express. */
export const hotRoutes = (routes: Routes, services: ApiServices): BoundRoute[] => hot.map((route) => route(routes, services));

/** All other routes of the API. */
export const coldRoutes = (routes: Routes, services: ApiServices): BoundRoute[] => cold.map((route) => route(routes, services));
