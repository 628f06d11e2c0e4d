import { describe, expect, it } from 'vitest';
import { rules } from './rules.ts';
import { violationsOf } from './violations.ts';

const workspaces = new Map([
  ['@nudge/types', 'packages/types'],
  ['@nudge/client', 'packages/client'],
  ['@nudge/server-kit', 'packages/server-kit'],
  ['@nudge/db', 'prisma'],
  ['@nudge/api', 'apps/api'],
  ['@nudge/sync', 'apps/sync'],
  ['@nudge/tests', 'tests'],
  ['@nudge/bench', 'bench'],
]);

/** For each rule a file that breaks it, and nothing but it. */
const violations: Record<string, readonly [path: string, source: string]> = {
  'types-stands-alone': ['packages/types/src/a.ts', `import type { Pool } from '@nudge/db';`],
  'types-needs-zod-only': ['packages/types/src/a.ts', `import { randomUUID } from 'node:crypto';`],
  'client-knows-types-only': ['packages/client/src/a.ts', `import { logger } from '@nudge/server-kit';`],
  'client-is-isomorphic': ['packages/client/src/a.ts', `import 'ws';`],
  'db-stands-alone': ['prisma/src/a.ts', `import type { Entry } from '@nudge/types';`],
  'db-needs-prisma-and-pg-only': ['prisma/src/a.ts', `import { LRUCache } from 'lru-cache';`],
  'server-kit-knows-types-only': ['packages/server-kit/src/a.ts', `export { append } from '@nudge/db';`],
  'apps-stand-apart': ['apps/gateway/src/gateway.ts', `import { createSync } from '@nudge/sync';`],
  'standalone-composes-servers': ['apps/standalone/src/a.ts', `import { connect } from '@nudge/client';`],
  'nothing-imports-tests': ['scripts/a.test.ts', `import { waitFor } from '../tests/support/wait-for.ts';`],
  'nothing-imports-bench': ['tests/model/a.test.ts', `import { run } from '@nudge/bench';`],
  'only-main-starts': ['apps/sync/src/sync.ts', `await import('./main.ts');`],
  'services-know-no-transport': ['apps/api/src/services/a.ts', `import type { Request } from 'express';`],
  'store-knows-no-transport': ['apps/api/src/store/a.ts', `import { Server } from 'socket.io';`],
  'services-look-down': ['apps/api/src/services/a.ts', `import { sendMessage } from '../routes/messages/send-message.ts';`],
  'services-do-not-compose': ['apps/api/src/services/a.ts', `import type { ApiDeps } from '../api.ts';`],
  'store-looks-down': ['apps/api/src/store/a.ts', `import { appender } from '../services/appender.ts';`],
  'store-does-not-compose': ['apps/api/src/store/a.ts', `import { createApi } from '../api.ts';`],
  'edges-go-through-services': ['apps/gateway/src/socket/handlers/watch.ts', `import { members } from '../../store/members.ts';`],
  'edges-do-not-compose': ['apps/api/src/routes/a.ts', `import { createApi } from '../api.ts';`],
  'only-the-store-uses-the-database': ['apps/api/src/services/a.ts', `import { append } from '@nudge/db';`],
  'drivers-stay-in-the-database': ['apps/api/src/store/a.ts', `import { Pool } from 'pg';`],
};

const broken = (path: string, source: string): string[] => violationsOf(path, source, workspaces).map(({ rule }) => rule);

describe('dependency direction', () => {
  it.each(rules.map(({ name }) => name))('%s catches its violation', (name) => {
    const [path, source] = violations[name] ?? ['', ''];
    expect(broken(path, source)).toEqual([name]);
  });

  it('sees re-exports, dynamic imports and side effects', () => {
    const path = 'packages/client/src/a.ts';
    expect(broken(path, `export * from 'express';`)).toEqual(['client-is-isomorphic']);
    expect(broken(path, `const fs = await import('fs');`)).toEqual(['client-is-isomorphic']);
    expect(broken(path, `import 'node:fs';`)).toEqual(['client-is-isomorphic']);
  });

  it('lets types of the database travel, and only types', () => {
    const path = 'apps/sync/src/services/a.ts';
    expect(broken(path, `import type { Row } from '@nudge/db';`)).toEqual([]);
    expect(broken(path, `import { type Row } from '@nudge/db';`)).toEqual([]);
    expect(broken(path, `import { type Row, read } from '@nudge/db';`)).toEqual(['only-the-store-uses-the-database']);
  });

  it('lets what the direction allows pass', () => {
    expect(
      broken(
        'apps/api/src/api.ts',
        `import { createPool } from '@nudge/db'; import { send } from './routes/send.ts'; import { store } from './store/s.ts';`,
      ),
    ).toEqual([]);
    expect(broken('apps/api/src/store/a.ts', `import { append } from '@nudge/db'; import type { Log } from '../services/log.ts';`)).toEqual(
      [],
    );
    expect(broken('tests/model/a.test.ts', `import { append } from '@nudge/db'; import { connect } from '@nudge/client';`)).toEqual([]);
  });
});
