// The methods of nbdkit's script protocol.

/** Every method that a script can have. */
export const methods = [
  "load",
  "unload",
  "dump_plugin",
  "config",
  "config_complete",
  "magic_config_key",
  "thread_model",
  "get_ready",
  "after_fork",
  "preconnect",
  "list_exports",
  "default_export",
  "open",
  "close",
  "export_description",
  "get_size",
  "block_size",
  "can_write",
  "can_flush",
  "can_trim",
  "can_zero",
  "can_fast_zero",
  "can_extents",
  "can_fua",
  "can_cache",
  "can_multi_conn",
  "is_rotational",
  "pread",
  "pwrite",
  "flush",
  "trim",
  "zero",
  "extents",
  "cache",
] as const;

/** The name of a method. */
export type Method = (typeof methods)[number];
