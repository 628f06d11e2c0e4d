import type { Bus, Clock, Logger, Router, SessionRegistry } from '@nudge/server-kit';
import type { Limits } from '@nudge/types';
import { AppsSettings } from './services/admin/app-settings.ts';
import type { Appender } from './services/appender/appender.ts';
import { Blocks } from './services/blocks/blocks.ts';
import type { UsersNamed } from './services/conversations/users-named.ts';
import type { Jobs, JobsConfig } from './services/jobs/jobs.ts';
import { Upkeep } from './services/jobs/upkeep.ts';
import { Presences } from './services/me/presences.ts';
import { Profiles } from './services/me/profiles.ts';
import { Notices } from './services/notices/notices.ts';
import type { EffectRunner } from './services/outbox/effects.ts';
import { ConversationPreferences } from './services/preferences/preferences.ts';
import type { Publisher } from './services/publisher/publisher.ts';
import { ScheduledMessages } from './services/scheduled/scheduled-messages.ts';
import { ScheduledSender } from './services/scheduled/scheduled-sender.ts';
import type { ConversationStore } from './store/conversation-store.ts';
import type { ScheduledStore } from './store/scheduled-store.ts';
import type { UserStore } from './store/user-store.ts';

export interface UserSideDeps {
  readonly router: Router<ConversationStore>;
  readonly databases: readonly ConversationStore[];
  readonly users: UserStore;
  readonly scheduled: ScheduledStore;
  readonly usersNamed: UsersNamed;
  readonly appender: Appender;
  readonly effects: EffectRunner;
  readonly publisher: Publisher;
  readonly bus: Bus;
  readonly registry: SessionRegistry;
  readonly jobs: Jobs;
  readonly jobsConfig: JobsConfig;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What the API does for users rather than conversations. */
export interface UserSide {
  readonly profiles: Profiles;
  readonly presences: Presences;
  readonly blocks: Blocks;
  readonly scheduled: ScheduledMessages;
  readonly notices: Notices;
  readonly preferences: ConversationPreferences;
  readonly appSettings: AppsSettings;
}

/** Puts the user side together and hands the background jobs their work; the caller starts and ends them. */
export function createUserSide(deps: UserSideDeps): UserSide {
  const { jobs, jobsConfig } = deps;
  const upkeep = new Upkeep(deps);
  const sender = new ScheduledSender(deps);
  jobs.handle('scheduled', (data) => sender.wake(data));
  jobs.every(jobsConfig.sweepSeconds, 'scheduled-sweep', (signal) => sender.sweep(jobsConfig.sweepAgeMs, signal));
  jobs.every(jobsConfig.expirySeconds, 'expiry', (signal) => upkeep.expire(signal));
  jobs.every(jobsConfig.retentionSeconds, 'retention', (signal) => upkeep.retain(signal));
  return {
    profiles: new Profiles(deps),
    presences: new Presences(deps),
    blocks: new Blocks(deps),
    scheduled: new ScheduledMessages(deps),
    notices: new Notices(deps),
    preferences: new ConversationPreferences(deps),
    appSettings: new AppsSettings(deps.users),
  };
}
