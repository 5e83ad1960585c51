// Sends an answer as JSON; what it is worth, the server decides and says.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("form[data-request]")) return;
  event.preventDefault();
  const verb = event.submitter.value;
  const reason = form.elements.reason.value.trim();
  const said = form.querySelector("output");
  if (!reason) { said.textContent = "An answer needs a reason."; form.elements.reason.focus(); return; }
  const veto = verb === "veto";
  const url = veto ? `api/vetoes/${encodeURIComponent(form.dataset.optimization)}`
                   : `api/requests/${encodeURIComponent(form.dataset.request)}/votes`;
  const body = veto ? { reason } : { choice: verb, reason, digest: form.dataset.digest };
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  said.textContent = "Sending…";
  try {
    const answer = await fetch(url, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(typeof told.detail === "string" ? told.detail : "That was not accepted.");
    said.textContent = "Recorded in the ledger.";
    setTimeout(() => location.reload(), 800);
  } catch (error) {
    said.textContent = error.message;
    for (const button of form.querySelectorAll("button")) button.disabled = false;
  }
});
