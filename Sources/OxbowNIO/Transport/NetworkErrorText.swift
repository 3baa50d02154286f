import NIOCore
import NIOPosix

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What the operating system says of a network error, without the names of the types and functions that say it.
func networkErrorText(_ error: any Error) -> String {
    switch error {
    case let error as IOError: String(cString: strerror(error.errnoCode))
    case let error as NIOConnectionError:
        error.connectionErrors.first.map { networkErrorText($0.error) }
            ?? (error.dnsAError ?? error.dnsAAAAError).map { "the name can't be resolved: \(networkErrorText($0))" }
            ?? "the name has no address"
    case ChannelError.connectTimeout(let limit): "no answer within \(limit.nanoseconds / 1_000_000_000) s"
    default: String(describing: error)
    }
}
