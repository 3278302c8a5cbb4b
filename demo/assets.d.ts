// What Vite makes of an import that ends in ?url: the address that the file is served at.
declare module '*?url' {
  const address: string;
  export default address;
}
