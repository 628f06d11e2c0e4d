import type { AppsSettings } from '../services/admin/app-settings.ts';
import type { Users } from '../services/admin/users.ts';
import type { Blocks } from '../services/blocks/blocks.ts';
import type { ConversationChanges } from '../services/conversations/conversation-changes.ts';
import type { Conversations } from '../services/conversations/conversations.ts';
import type { Memberships } from '../services/conversations/memberships.ts';
import type { Dispatcher } from '../services/gateways/dispatcher.ts';
import type { Presences } from '../services/me/presences.ts';
import type { Profiles } from '../services/me/profiles.ts';
import type { MessageChanges } from '../services/messages/message-changes.ts';
import type { MessageVersions } from '../services/messages/message-versions.ts';
import type { Messages } from '../services/messages/messages.ts';
import type { Notices } from '../services/notices/notices.ts';
import type { ConversationPreferences } from '../services/preferences/preferences.ts';
import type { ReadPositions } from '../services/read-positions/read-positions.ts';
import type { Revocation } from '../services/revocation/revocation.ts';
import type { ScheduledMessages } from '../services/scheduled/scheduled-messages.ts';
import type { UserSessions } from '../services/sessions/user-sessions.ts';

/** What the routes of the API call. */
export interface ApiServices {
  readonly conversations: Conversations;
  readonly conversationChanges: ConversationChanges;
  readonly memberships: Memberships;
  readonly messages: Messages;
  readonly messageChanges: MessageChanges;
  readonly messageVersions: MessageVersions;
  readonly readPositions: ReadPositions;
  readonly users: Users;
  readonly profiles: Profiles;
  readonly presences: Presences;
  readonly blocks: Blocks;
  readonly scheduled: ScheduledMessages;
  readonly notices: Notices;
  readonly preferences: ConversationPreferences;
  readonly appSettings: AppsSettings;
  readonly dispatcher: Dispatcher;
  readonly userSessions: UserSessions;
  readonly revocation: Revocation;
}
