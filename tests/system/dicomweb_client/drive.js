// Drives every transaction of the npm dicomweb-client against a DICOMweb service; says what came as JSON.
// node drive.js URL FILE: the file is stored, found, and retrieved in every form.
const { readFileSync } = require("node:fs");
const { createHash } = require("node:crypto");
global.XMLHttpRequest = require("xhr2");
global.window = globalThis;
const { api } = require("dicomweb-client");

const sha = (content) => createHash("sha256").update(Buffer.from(content)).digest("hex");
const value = (found, tag) => found[tag].Value[0];

async function main(url, path) {
  const client = new api.DICOMwebClient({ url, headers: {} });
  const file = readFileSync(path);
  const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
  const said = {};
  await client.storeInstances({ datasets: [bytes] });
  let studies = [];
  for (let tries = 0; tries < 600 && !studies.length; tries += 1) {
    const answer = await client.searchForStudies({ queryParams: { limit: 5 } });
    studies = Array.isArray(answer) ? answer : [];
    if (!studies.length) await new Promise((done) => setTimeout(done, 100));
  }
  said.studies = studies.length;
  const studyInstanceUID = value(studies[0], "0020000D");
  const [series] = await client.searchForSeries({ studyInstanceUID });
  const seriesInstanceUID = value(series, "0020000E");
  const [instance] = await client.searchForInstances({ studyInstanceUID, seriesInstanceUID });
  const sopInstanceUID = value(instance, "00080018");
  const study = { studyInstanceUID };
  const whole = { studyInstanceUID, seriesInstanceUID };
  const one = { studyInstanceUID, seriesInstanceUID, sopInstanceUID };
  said.instance = sopInstanceUID;
  said.metadata = [
    (await client.retrieveStudyMetadata(study)).length,
    (await client.retrieveSeriesMetadata(whole)).length,
    value((await client.retrieveInstanceMetadata(one))[0], "00080018"),
  ];
  const octets = [{ mediaType: "application/octet-stream" }];
  const [frame] = await client.retrieveInstanceFrames({ ...one, frameNumbers: [1] });
  said.frame = sha(frame);
  const uri = `${url}/studies/${studyInstanceUID}/series/${seriesInstanceUID}/instances/${sopInstanceUID}`;
  const bulk = await client.retrieveBulkData({ BulkDataURI: `${uri}/bulkdata/7FE00010`, mediaTypes: octets });
  said.bulk = bulk.map(sha);
  said.files = [
    sha(await client.retrieveInstance(one)),
    ...(await client.retrieveSeries(whole)).map(sha),
    ...(await client.retrieveStudy(study)).map(sha),
  ];
  const jpeg = { mediaTypes: [{ mediaType: "image/jpeg" }] };
  const pictures = [
    await client.retrieveInstanceRendered({ ...one, ...jpeg }),
    await client.retrieveInstanceThumbnail({ ...one, ...jpeg }),
    await client.retrieveInstanceFramesRendered({ ...one, ...jpeg, frameNumbers: [1] }),
    await client.retrieveInstanceFramesThumbnail({ ...one, ...jpeg, frameNumbers: [1] }),
  ];
  said.pictures = pictures.map((content) => Buffer.from([content].flat()[0]).subarray(0, 2).toString("hex"));
  console.log(JSON.stringify(said));
}

main(process.argv[2], process.argv[3]).catch((fault) => {
  console.error(fault && fault.stack ? fault.stack : fault, fault && fault.response);
  process.exit(1);
});
