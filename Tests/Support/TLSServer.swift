/// A port that speaks TLS: OpenSSL's own test server, with certificates that OpenSSL makes for it.
package final class TLSServer: Sendable {
    /// Where it listens: `localhost:port`, as its certificate has it.
    package let address: String
    /// The file of the CA that signed its certificate: the certificate itself.
    package let authority: String
    /// The file of a CA that signed nothing of it.
    package let strangeAuthority: String
    private let process: RunningProcess

    /// Starts it.
    /// - Parameters:
    ///   - directory: Where its files are put.
    ///   - demandsCertificates: Whether clients have to have certificates, too.
    package init(in directory: String, demandsCertificates: Bool = false) async throws {
        for name in ["own", "strange"] {
            let arguments = [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                "subjectAltName=DNS:localhost", "-keyout", "\(directory)/\(name).key", "-out",
                "\(directory)/\(name).pem",
            ]
            _ = await (try RunningProcess("openssl", arguments, environment: [:])).result()
        }
        authority = "\(directory)/own.pem"
        strangeAuthority = "\(directory)/strange.pem"
        let demand = demandsCertificates ? ["-Verify", "1", "-verify_return_error", "-CAfile", authority] : []
        let arguments = [
            "s_server", "-www", "-accept", "127.0.0.1:0", "-cert", authority, "-key", "\(directory)/own.key",
        ]
        process = try RunningProcess("openssl", arguments + demand, environment: [:])
        var port: Substring?
        while port == nil, process.isRunning {
            port = process.output.split(separator: "\n").first { $0.hasPrefix("ACCEPT ") }?.split(separator: ":").last
            await Task.yield()
        }
        address = "localhost:\(port ?? "1")"
    }

    /// Ends it.
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
