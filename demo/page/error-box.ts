// Tells the reader what went wrong, on the page itself. It stands on nothing that could fail with the rest.

export function showError(problem: unknown): void {
  const box = document.getElementById('error');
  const text = document.getElementById('error-text');
  if (!box || !text) return;
  text.textContent = problem instanceof Error ? problem.message : String(problem);
  box.hidden = false;
  console.error(problem);
}
