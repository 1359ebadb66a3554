import Dionysus
import DionysusHTTP
import DionysusHTTPClient
public import DionysusSchemas

extension SchemaRegistryClient {
    /// Creates a client that reaches the registry over TCP and TLS.
    /// - Throws: `DionysusError` with code `configuration` for invalid addresses and unreadable files.
    public convenience init(_ settings: SchemaRegistrySettings) throws {
        let transport: NetworkTransport
        do {
            transport = try NetworkTransport(
                NetworkTransport.Certificates(
                    authorities: settings.caFile,
                    certificate: settings.certificateFile,
                    key: settings.keyFile
                )
            )
        } catch let error as HTTPTransportError {
            throw DionysusError(
                .configuration,
                "the schema registry can't be reached over TLS: \(error)",
                advice: "correct the files with the CA certificates, the client's certificate and its key",
                underlying: error
            )
        }
        try self.init(settings, transport: transport)
    }
}
