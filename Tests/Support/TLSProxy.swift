/// A TLS proxy for a plaintext port: a few lines of Python.
package final class TLSProxy: Sendable {
    /// Its port on 127.0.0.1.
    package let port: Int
    /// Its certificate, which is for `localhost`.
    package let certificate: TestCertificate
    /// The client certificate.
    package let client: TestCertificate
    private let process: RunningProcess

    private static let program = """
        import asyncio, ssl, sys

        certificate, key, authority, upstream = sys.argv[1:]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if authority:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority)

        async def pump(reader, writer):
            try:
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            except OSError:
                pass
            finally:
                writer.close()

        async def serve(reader, writer):
            try:
                source, target = await asyncio.open_connection("127.0.0.1", int(upstream))
            except OSError:
                return writer.close()
            await asyncio.gather(pump(reader, target), pump(source, writer))

        async def main():
            server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
            print(server.sockets[0].getsockname()[1], flush=True)
            await server.serve_forever()

        asyncio.run(main())
        """

    /// Starts it.
    /// - Parameters:
    ///   - upstream: The port on 127.0.0.1 to which it forwards.
    ///   - directory: Where its files are put.
    ///   - demandsCertificates: Whether it requires client certificates.
    package init(before upstream: Int, in directory: String, demandsCertificates: Bool = false) async throws {
        certificate = try await TestCertificate("broker", in: directory)
        client = try await TestCertificate("client", in: directory, host: "bookings")
        let authority = demandsCertificates ? client.file : ""
        let arguments = ["-c", Self.program, certificate.file, certificate.key, authority, "\(upstream)"]
        process = try RunningProcess("python3", arguments, environment: [:])
        var port: Int?
        while port == nil, process.isRunning {
            port = process.output.split(separator: "\n").first.flatMap { Int($0) }
            await Task.yield()
        }
        self.port = port ?? 1
    }

    /// Stops it.
    package func close() async { await process.killAndWait() }

    /// Runs a test with it.
    package static func with<T: Sendable>(
        before upstream: Int,
        demandsCertificates: Bool = false,
        _ body: (TLSProxy) async throws -> T
    ) async throws -> T {
        try await withTemporaryDirectory { directory in
            let proxy = try await TLSProxy(before: upstream, in: directory, demandsCertificates: demandsCertificates)
            do {
                let result = try await body(proxy)
                await proxy.close()
                return result
            } catch {
                await proxy.close()
                throw error
            }
        }
    }
}
