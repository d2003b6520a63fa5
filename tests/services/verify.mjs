// What another ecosystem makes of our tokens: reads a question from standard input, answers in JSON.
import { createLocalJWKSet, createRemoteJWKSet, jwtVerify } from "jose";

const { url, tokens, issuer, audience } = JSON.parse(await new Response(process.stdin).text());
const published = await (await fetch(url)).json();
const keySets = { local: createLocalJWKSet(published), remote: createRemoteJWKSet(new URL(url)) };

const answers = {};
for (const [kind, keys] of Object.entries(keySets)) {
  answers[kind] = await Promise.all(
    tokens.map(async (token) => {
      try {
        const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, audience, typ: "at+jwt" });
        return { subject: payload.sub, algorithm: protectedHeader.alg, kid: protectedHeader.kid };
      } catch (error) {
        return { refused: error.code };
      }
    }),
  );
}
console.log(JSON.stringify(answers));
