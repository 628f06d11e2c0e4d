/**
 * Shares a budget among demands so that no one gets more than it wants and whoever gets less than it wants gets no less than any
 * other (max-min fairness). With a budget smaller than the number of demands the first ones get one each.
 *
 * @param demands what each could use
 * @param budget what there is
 * @returns the grants in the order of the demands; their sum is `min(budget, sum of demands)`
 */
export function fairShare(demands: readonly number[], budget: number): number[] {
  const grants = demands.map(() => 0);
  const smallestFirst = demands.map((_, index) => index).sort((a, b) => (demands[a] ?? 0) - (demands[b] ?? 0) || b - a);
  let left = budget;
  smallestFirst.forEach((index, served) => {
    const waiting = smallestFirst.length - served;
    const grant = Math.min(demands[index] ?? 0, Math.floor(left / waiting));
    grants[index] = grant;
    left -= grant;
  });
  return grants;
}
