import { createLogger, runMain } from '@nudge/server-kit';
import { environment, readStandaloneConfig } from './config.ts';
import { startStandalone } from './standalone.ts';

const config = readStandaloneConfig(environment);
const log = createLogger({ name: 'standalone', level: config.logLevel, pretty: config.logFormat === 'pretty' });
await runMain(() => startStandalone({ config, log, environment, print: (text) => process.stdout.write(text) }), { log });
