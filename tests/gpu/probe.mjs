// A program: tells on descriptor 3, as JSON, which adapter a process finds that is started as this one is, or null.
// Stdout and stderr belong to Dawn and the drivers, which print there what they like.
import { writeSync } from 'node:fs';
import { create } from 'webgpu';

const adapter = await create([]).requestAdapter();
writeSync(3, JSON.stringify(adapter && { description: adapter.info.description }));
