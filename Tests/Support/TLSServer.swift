/// A TLS port without a protocol on top: OpenSSL's test server.
package final class TLSServer: Sendable {
    /// Its address: `localhost:port`, as in its certificate.
    package let address: String
    /// The file of the CA that signed its certificate: the certificate itself.
    package let authority: String
    /// A certificate that it doesn't trust.
    package let stranger: TestCertificate
    private let process: RunningProcess

    /// Starts it.
    /// - Parameters:
    ///   - directory: Where its files are put.
    ///   - demandsCertificates: Whether it requires client certificates.
    package init(in directory: String, demandsCertificates: Bool = false) async throws {
        let own = try await TestCertificate("own", in: directory)
        authority = own.file
        stranger = try await TestCertificate("strange", in: directory)
        let demand = demandsCertificates ? ["-Verify", "1", "-verify_return_error", "-CAfile", own.file] : []
        let arguments = ["s_server", "-www", "-accept", "127.0.0.1:0", "-cert", own.file, "-key", own.key]
        process = try RunningProcess("openssl", arguments + demand, environment: [:])
        var port: Substring?
        while port == nil, process.isRunning {
            port = process.output.split(separator: "\n").first { $0.hasPrefix("ACCEPT ") }?.split(separator: ":").last
            await Task.yield()
        }
        address = "localhost:\(port ?? "1")"
    }

    /// Stops it.
    package func close() async { await process.killAndWait() }

    /// Runs a test with it.
    package static func with<T: Sendable>(
        demandsCertificates: Bool = false,
        _ body: (TLSServer) async throws -> T
    ) async throws -> T {
        try await withTemporaryDirectory { directory in
            let server = try await TLSServer(in: directory, demandsCertificates: demandsCertificates)
            let result = try await body(server)
            await server.close()
            return result
        }
    }
}
