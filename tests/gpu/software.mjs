// What a process must be started with so that npm webgpu finds the software adapter that comes with Chromium.
import { existsSync } from 'node:fs';

/** Where Debian's chromium package keeps SwiftShader and a Vulkan loader. */
const folder = '/usr/lib/chromium';

export function softwareEnvironment() {
  const icd = `${folder}/vk_swiftshader_icd.json`;
  if (!existsSync(icd)) return {};
  const libraries = [process.env.LD_LIBRARY_PATH, folder].filter(Boolean).join(':');
  return { VK_ICD_FILENAMES: process.env.VK_ICD_FILENAMES ?? icd, LD_LIBRARY_PATH: libraries };
}
