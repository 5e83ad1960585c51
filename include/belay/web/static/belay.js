// Sends an answer as JSON; what it is worth, the server decides and says.
document.addEventListener("submit", async (event) => {
  const form = event.target, button = event.submitter;
  if (!form.matches("form[data-answer]")) return;
  event.preventDefault();
  const said = form.querySelector("output"), reason = form.elements.reason.value.trim();
  if (!reason || !button) { said.textContent = "An answer needs a reason."; form.elements.reason.focus(); return; }
  const body = { ...JSON.parse(button.dataset.body || "{}"), reason };
  if (form.elements.target) body.target = form.elements.target.value;
  if (button.dataset.confirm && !await agreed(button.dataset.confirm.replace("{target}", body.target), button.textContent)) return;
  const buttons = form.querySelectorAll("button");
  for (const each of buttons) each.disabled = true;
  said.textContent = "Sending…";
  try {
    const answer = await fetch(button.dataset.url, {
      method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    });
    const told = await answer.json();
    if (!answer.ok) throw new Error(typeof told.detail === "string" ? told.detail : "That was not accepted.");
    said.textContent = told.told || "Recorded in the ledger.";
    setTimeout(() => location.reload(), told.told ? 2500 : 800);
  } catch (error) {
    said.textContent = error.message;
    for (const each of buttons) each.disabled = false;
  }
});

// Asks once more, in the page itself: a frame may not open the browser's own dialogs.
function agreed(question, yes) {
  const dialog = document.createElement("dialog"), text = document.createElement("p"), form = document.createElement("form");
  form.method = "dialog";
  text.textContent = question;
  for (const [value, label] of [["no", "Cancel"], ["yes", yes]]) {
    const button = document.createElement("button");
    button.value = value; button.textContent = label; button.className = value === "yes" ? "no" : "";
    form.append(button, " ");
  }
  dialog.append(text, form);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((answer) => dialog.addEventListener("close", () => { dialog.remove(); answer(dialog.returnValue === "yes"); }));
}
