import { fileURLToPath } from 'node:url';
import { checkDeploy } from './check-deploy.ts';
import { knownMetrics } from './known-metrics.ts';

// npm run check:deploy: the files of deploy/, and that what they name exists.
const known = await knownMetrics();
const { problems, tools } = await checkDeploy(fileURLToPath(new URL('../../deploy', import.meta.url)), known);
for (const problem of problems) console.error(`deploy/${problem}`);
const also = tools.ran.length > 0 ? `; also ${tools.ran.join(', ')}` : '';
const absent = tools.absent.length > 0 ? `; not on PATH: ${tools.absent.join(', ')}` : '';
console.log(
  `deploy: ${problems.length === 0 ? 'all files hold' : `${problems.length} problems`} against ${known.size} metrics${also}${absent}`,
);
if (problems.length > 0) process.exitCode = 1;
