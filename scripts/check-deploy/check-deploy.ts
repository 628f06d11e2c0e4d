import { checkCompose } from './compose.ts';
import { Findings } from './findings.ts';
import { checkGrafana, dashboardFile } from './grafana.ts';
import { checkImage } from './image.ts';
import type { KnownMetrics } from './known-metrics.ts';
import { checkKubernetes } from './kubernetes.ts';
import { checkLiterals } from './literals.ts';
import { checkPrometheus } from './prometheus.ts';
import { checkProxy } from './proxy.ts';
import { checkWithTools } from './tools.ts';

/** What was found, and who looked. */
export interface DeployReport {
  readonly problems: readonly string[];
  readonly tools: { readonly ran: readonly string[]; readonly absent: readonly string[] };
}

/** Every file of a deploy folder. */
export async function checkDeploy(dir: string, known: KnownMetrics): Promise<DeployReport> {
  const findings = new Findings(dir);
  const image = checkImage(findings);
  checkCompose(findings, image);
  checkProxy(findings);
  const manifests = await checkKubernetes(findings, image);
  checkPrometheus(findings, known);
  const content = checkGrafana(findings, known);
  checkLiterals(findings, manifests, { file: dashboardFile, content });
  const tools = checkWithTools(findings);
  return { problems: [...new Set(findings.problems)], tools };
}
