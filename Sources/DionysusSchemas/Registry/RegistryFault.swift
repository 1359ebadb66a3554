public import Dionysus
import DionysusHTTP

extension DionysusError.Code {
    /// A schema registry can't be reached or doesn't work.
    public static let registryUnavailable = Self("registry_unavailable")
    /// A schema registry refused a schema: it is incompatible with earlier versions, or none.
    public static let schemaRejected = Self("schema_rejected")
    /// A schema registry doesn't have the schema, the subject or the version that was asked for.
    public static let unknownSchema = Self("unknown_schema")
}

/// What a registry answers if it doesn't do what it was asked for.
struct RegistryFault {
    let status: Int
    /// Confluent's code, such as 40401.
    let code: Int
    let message: String

    /// Registries are no friends until shown: their words are bounded, and can't control a terminal.
    init(_ response: HTTPResponse) {
        status = response.status
        let document = try? JSON(parsing: response.body)
        if case .integer(let code)? = document?["error_code"] {
            self.code = Int(clamping: code)
        } else {
            code = response.status
        }
        if case .string(let message)? = document?["message"] {
            self.message = String(message.prefix(2_000)).printable()
        } else {
            message = "no reason is given"
        }
    }

    /// Whether the same request may succeed later, or at another address.
    var isOutage: Bool { [408, 425, 429].contains(status) || status >= 500 }

    /// What it means for whoever asked.
    /// - Parameters:
    ///   - what: What was asked for.
    ///   - place: The registry's address.
    func error(_ what: String, at place: String) -> DionysusError {
        let answer = "\(what): the schema registry \(place) answered \(code): \(message)"
        return switch status {
        case 401, 403:
            DionysusError(
                .accessDenied,
                answer,
                advice: "check the registry's user and password, token or certificate, and what it may do"
            )
        case 404: DionysusError(.unknownSchema, answer)
        case 409, 422: DionysusError(.schemaRejected, answer)
        case _ where isOutage: DionysusError(.registryUnavailable, answer, isRetriable: true)
        default:
            // Not what a registry answers: what does is something else, or in between.
            DionysusError(.registryUnavailable, answer, advice: "check the registry's address", isRetriable: true)
        }
    }
}
