import { type Cancellable, MoteError } from "@mote/core";
import { containerCredentials, containerService } from "./container-role.js";
import { processCredentials } from "./credential-process.js";
import type { Credentials, CredentialsProvider } from "./credentials.js";
import { instanceCredentials } from "./instance-role.js";
import { type Environment, type Profile, readProfile } from "./profile-files.js";
import { webIdentityCredentials } from "./web-identity.js";

/**
 * Returns a provider that uses the first source that is configured, as the AWS tools do: the environment, a web identity, the profile files,
 * the role of the container, the role of the machine.
 */
export function credentialChain(env: Environment, region: string): CredentialsProvider {
  return async (options: Cancellable = {}) => {
    if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY)
      return keys(env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN);
    const role = roleOf(env.AWS_WEB_IDENTITY_TOKEN_FILE, env.AWS_ROLE_ARN, env.AWS_ROLE_SESSION_NAME);
    if (role !== undefined)
      return await webIdentityCredentials({ ...role, service: tokenService(env, region) }, options);
    const profile = readProfile(env);
    const [id, secret] = [profile.get("aws_access_key_id"), profile.get("aws_secret_access_key")];
    if (id && secret) return keys(id, secret, profile.get("aws_session_token"));
    const ofProfile = roleOf(
      profile.get("web_identity_token_file"),
      profile.get("role_arn"),
      profile.get("role_session_name"),
    );
    if (ofProfile !== undefined)
      return await webIdentityCredentials({ ...ofProfile, service: tokenService(env, region) }, options);
    const command = profile.get("credential_process");
    if (command) return await processCredentials(command, options);
    assertSupported(profile);
    const container = containerService(env);
    if (container !== undefined) return await containerCredentials(container, env, options);
    if (env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === "true") throw none();
    return await instanceCredentials(env, options).catch((cause: unknown) => {
      options.signal?.throwIfAborted();
      throw none(cause);
    });
  };
}

function keys(accessKeyId: string, secretAccessKey: string, sessionToken: string | undefined): Credentials {
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

function roleOf(tokenFile: string | undefined, roleArn: string | undefined, sessionName: string | undefined) {
  if (!tokenFile || !roleArn) return undefined;
  return { tokenFile, roleArn, sessionName: sessionName || `mote-${process.pid}` };
}

function tokenService(env: Environment, region: string): URL {
  return new URL(env.AWS_ENDPOINT_URL_STS || `https://sts.${region}.amazonaws.com/`);
}

function assertSupported(profile: Profile): void {
  for (const name of ["sso_session", "sso_start_url", "source_profile"])
    if (profile.has(name))
      throw new MoteError(
        "MOTE_CONFIG",
        `the AWS profile uses ${name}, which is not supported; use a profile with: credential_process = aws configure export-credentials --profile NAME --format process`,
      );
}

function none(cause?: unknown): MoteError {
  return new MoteError(
    "MOTE_UNAUTHORIZED",
    "cannot find credentials for S3; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role",
    { cause },
  );
}
