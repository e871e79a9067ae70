// A provider that others wrote, oidc-provider, with one client and nobody to ask: whoever the browser says logs in. It is found beside the
// folder that the first argument names. Prints its address, and ends with its standard input.

import { createRequire } from "node:module";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const [folder, redirect] = process.argv.slice(2);
const resolve = createRequire(join(pathToFileURL(folder).pathname, "package.json")).resolve;
const { default: Provider } = await import(pathToFileURL(resolve("oidc-provider")));

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const people = {
  jane: { email: "jane@example.org", email_verified: true, name: "Jane Doe" },
  eve: { email: "jane@example.org", email_verified: false, name: "Eve" },
};
const provider = new Provider(issuer, {
  clients: [{ client_id: "complaints", client_secret: "a secret that both of them know", redirect_uris: [redirect] }],
  claims: { email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
  pkce: { required: () => true },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  features: { devInteractions: { enabled: false } },
  // All that is asked for is agreed to.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
    grant.addOIDCScope("openid email profile");
    await grant.save();
    return grant;
  },
});
const callback = provider.callback();
server.on("request", async (request, answer) => {
  if (!request.url.startsWith("/interaction/")) return callback(request, answer);
  const { params } = await provider.interactionDetails(request, answer);
  if (params.login_hint === "nobody") {
    return provider.interactionFinished(request, answer, { error: "access_denied" });
  }
  return provider.interactionFinished(request, answer, { login: { accountId: params.login_hint } });
});
process.stdin.on("end", () => process.exit()).resume();
console.log(issuer);
