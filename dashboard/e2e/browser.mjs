/** The browser that the scripts drive: the system's Chromium, or the one that GASTOWN_CHROMIUM names. */
import { chromium } from "playwright-core";

export function launchBrowser() {
  return chromium.launch({
    executablePath: process.env.GASTOWN_CHROMIUM ?? "/usr/bin/chromium",
    // Containers have neither user namespaces for the sandbox nor a large /dev/shm.
    args: ["--no-sandbox", "--disable-dev-shm-usage"],
  });
}

/** Notes everything that a page complains about; a clean page leaves the list empty. */
export function collectComplaints(page) {
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return complaints;
}
