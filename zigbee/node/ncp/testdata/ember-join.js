// Drives an independent Zigbee host (zigbee-herdsman's ember adapter) on an EZSP co-processor at NCP_PORT: starts, forms,
// admits one device, interviews it and reads Metering CurrentSummationDelivered; with KEEP set to a folder a second run there
// must find the network again.
const {Controller, setLogger} = require('zigbee-herdsman');
const fs = require('fs'), os = require('os'), path = require('path');
const text = m => typeof m === 'function' ? m() : m;
setLogger({debug: m => process.env.DEBUG && console.log('D', text(m)), info: m => console.log('I', text(m)),
           warning: m => console.log('W', text(m)), error: m => console.log('E', text(m))});
const dir = process.env.KEEP || fs.mkdtempSync(path.join(os.tmpdir(), 'ember-'));
const profile = 0x0104; // the adapter throws answers of the Smart Energy profile away
const c = new Controller({
  network: {panID: 0x1aaa, extendedPanID: [0, 0, 0, 0, 0, 0xa, 0x11, 0xce], channelList: [15],
            networkKey: [...Buffer.from('00112233445566778899aabbccddeeff', 'hex')]},
  serialPort: {path: process.env.NCP_PORT, adapter: 'ember', baudRate: 115200, rtscts: false},
  databasePath: dir + '/db', databaseBackupPath: dir + '/dbb', backupPath: dir + '/bk',
  adapter: {}, acceptJoiningDeviceHandler: async () => true});
const read = async d => {
  const ep = d.endpoints.find(x => x.inputClusters.includes(0x0702));
  console.log('READ', JSON.stringify(await ep.read('seMetering', ['currentSummDelivered'], {timeout: 8000, profileId: profile})));
};
const stop = async code => { try { await c.stop(); } catch (e) { console.log('STOP', e.message); } process.exit(code); };
c.on('deviceInterview', async e => {
  console.log('EVENT interview', e.status, e.device.ieeeAddr);
  if (e.status !== 'successful') return;
  try { await read(e.device); await stop(0); } catch (err) { console.log('FAIL', err.stack); process.exit(1); }
});
(async () => {
  try {
    console.log('START', await c.start());
    console.log('VERSION', JSON.stringify(await c.getCoordinatorVersion()));
    console.log('NETWORK', JSON.stringify(await c.getNetworkParameters()));
    const known = c.getDevices().filter(d => d.type !== 'Coordinator' && d.endpoints.length > 0);
    if (known.length > 0) { await read(known[0]); await stop(0); return; }
    if (process.env.CODE) await c.addInstallCode(process.env.CODE);
    await c.permitJoin(120);
  } catch (e) { console.log('FAIL', e.stack); process.exit(1); }
})();
setTimeout(() => { console.log('TIMEOUT'); process.exit(2); }, 90000);
