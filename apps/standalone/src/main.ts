import { createLogger, runMain } from '@nudge/server-kit';
import { readStandaloneConfig } from './config.ts';
import { environment } from './environment.ts';
import { endPlainly } from './launch.ts';
import { startStandalone } from './standalone.ts';

const config = readOrEnd();
const log = createLogger({ name: 'standalone', level: config.logLevel, pretty: config.logFormat === 'pretty' });
await runMain(() => startStandalone({ config, log, environment, print: (text) => process.stdout.write(text) }).catch(endPlainly), { log });

function readOrEnd() {
  try {
    return readStandaloneConfig(environment);
  } catch (error) {
    return endPlainly(error);
  }
}
