import { type ChildProcess, execFile, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { killAndWait } from "./child-process.js";
import { freePort } from "./loopback.js";
import { type S3Keys, type S3Server, s3Server } from "./s3-server.js";

const run = promisify(execFile);

export interface Radosgw extends S3Server {
  /** Creates another user. @param options.maxBytes the quota of all its buckets */
  addUser(options?: { readonly maxBytes?: number }): Promise<S3Keys & { readonly user: string }>;
  /** Adds keys to a user. */
  addKeys(user: string): Promise<S3Keys>;
  removeKeys(user: string, accessKeyId: string): Promise<void>;
}

/** Debian's Ceph with an object gateway on loopback, whose data is in memory: one monitor, one OSD, no authentication between them. */
export async function startRadosgw(): Promise<Radosgw> {
  const folder = await mkdtemp(join(tmpdir(), "mote-radosgw-"));
  const [monitorPort, port] = [await freePort(), await freePort()];
  const id = randomUUID();
  const osd = randomUUID();
  const config = join(folder, "ceph.conf");
  const keyring = join(folder, "keyring");
  await writeFile(config, configuration(folder, { id, monitorPort, port }));
  for (const name of ["mon", "osd", "rgw"]) await mkdir(join(folder, name));
  const started: ChildProcess[] = [];
  const start = async (program: string, ...args: string[]) => {
    const log = await open(join(folder, `${program}.out`), "a");
    const child = spawn(program, ["-c", config, ...args, "-f"], { stdio: ["ignore", log.fd, log.fd] });
    await log.close();
    started.push(child);
  };
  const stop = async () => {
    for (const child of started.reverse()) await killAndWait(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await run("ceph-authtool", ["--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"]);
    const admin = ["--cap", "mon", "allow *", "--cap", "osd", "allow *"];
    await run("ceph-authtool", [keyring, "--gen-key", "-n", "client.admin", ...admin]);
    const map = join(folder, "monmap");
    await run("monmaptool", ["--create", "--addv", "a", `[v2:127.0.0.1:${monitorPort}]`, "--fsid", id, map]);
    await run("ceph-mon", ["-c", config, "--mkfs", "-i", "a", "--monmap", map, "--keyring", keyring]);
    await start("ceph-mon", "-i", "a");
    await run("ceph", ["-c", config, "osd", "new", osd]);
    await run("ceph-osd", ["-c", config, "-i", "0", "--mkfs", "--osd-uuid", osd]);
    await start("ceph-osd", "-i", "0");
    await start("radosgw", "-n", "client.admin");
    const administer = (...args: string[]) => run("radosgw-admin", ["-c", config, "-n", "client.admin", ...args]);
    const newKeys = () => ({ accessKeyId: randomUUID(), secretAccessKey: randomUUID() });
    const asOptions = (keys: S3Keys) => [`--access-key=${keys.accessKeyId}`, `--secret-key=${keys.secretAccessKey}`];
    const addUser: Radosgw["addUser"] = async ({ maxBytes } = {}) => {
      const [user, keys] = [randomUUID(), newKeys()];
      const uid = `--uid=${user}`;
      await administer("user", "create", uid, "--display-name=mote", "--max-buckets=0", ...asOptions(keys));
      if (maxBytes !== undefined) {
        await administer("quota", "set", "--quota-scope=user", uid, `--max-size=${maxBytes}B`);
        await administer("quota", "enable", "--quota-scope=user", uid);
      }
      return { user, ...keys };
    };
    const { accessKeyId, secretAccessKey } = await addUser();
    const endpoint = `http://127.0.0.1:${port}`;
    return {
      ...(await s3Server({ name: "radosgw", endpoint, accessKeyId, secretAccessKey, stop })),
      addUser,
      async addKeys(user) {
        const keys = newKeys();
        await administer("key", "create", `--uid=${user}`, "--key-type=s3", ...asOptions(keys));
        return keys;
      },
      async removeKeys(user, accessKeyId) {
        await administer("key", "rm", `--uid=${user}`, "--key-type=s3", `--access-key=${accessKeyId}`);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(
  folder: string,
  of: { readonly id: string; readonly monitorPort: number; readonly port: number },
): string {
  return `[global]
fsid = ${of.id}
mon host = v2:127.0.0.1:${of.monitorPort}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms mon client mode = crc
ms client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon data = ${folder}/mon
mon data avail crit = 0
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
run dir = ${folder}
crash dir = ${folder}
admin socket =
pid file =
keyring = ${folder}/keyring
log file = ${folder}/$name.log
[client.admin]
rgw frontends = beast endpoint=127.0.0.1:${of.port}
rgw data = ${folder}/rgw
rgw dynamic resharding = false
`;
}
