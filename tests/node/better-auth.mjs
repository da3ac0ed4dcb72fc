// Better Auth as an application runs it: people sign up here, take a token to the gateway, and let MCP clients act for them.
import { randomBytes } from "node:crypto";
import http from "node:http";

import { mcp } from "@better-auth/mcp";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { jwt } from "better-auth/plugins";

const [gateway, tools, ...scopes] = process.argv.slice(2);
const tables = [
  "user", "session", "account", "verification", "jwks",
  "oauthClient", "oauthResource", "oauthClientResource", "oauthRefreshToken",
  "oauthAccessToken", "oauthConsent", "oauthClientAssertion",
];

const server = http.createServer();
server.listen(0, "127.0.0.1", () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const issuer = `${origin}/api/auth`;
  const auth = betterAuth({
    baseURL: origin,
    secret: randomBytes(32).toString("hex"),
    database: memoryAdapter(Object.fromEntries(tables.map((table) => [table, []]))),
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    plugins: [
      jwt({ disableSettingJwtHeader: true, jwt: { issuer, audience: gateway, expirationTime: "15m" } }),
      mcp({
        loginPage: "/login",
        consentPage: "/consent",
        resource: tools,
        scopes: ["openid", "offline_access", ...scopes],
        allowDynamicClientRegistration: true,
        allowUnauthenticatedClientRegistration: true,
        enforcePerClientResources: false,
      }),
    ],
  });
  server.on("request", toNodeHandler(auth));
  console.log(JSON.stringify({ issuer }));
});
