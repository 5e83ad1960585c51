// Sends an answer as JSON; what it is worth, the server decides and says.
document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  if (!form.matches("form[data-answer]")) return;
  event.preventDefault();
  const said = form.querySelector("output"), reason = form.elements.reason.value.trim();
  if (!reason || !button) { said.textContent = "An answer needs a reason."; form.elements.reason.focus(); return; }
  const body = { ...JSON.parse(button.dataset.body || "{}"), reason };
  if (form.elements.target) body.target = form.elements.target.value;
  const buttons = form.querySelectorAll("button");
  for (const each of buttons) each.disabled = true;
  said.textContent = "Sending…";
  try {
    const answer = await fetch(button.dataset.url, {
      method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(typeof told.detail === "string" ? told.detail : "That was not accepted.");
    said.textContent = "Recorded in the ledger.";
    setTimeout(() => location.reload(), 800);
  } catch (error) {
    said.textContent = error.message;
    for (const each of buttons) each.disabled = false;
  }
});
